"""HTTP as a client: one request and one response, bounded in bytes and in time.

One deadline holds from before the name is resolved to the last byte, and includes TLS, interim responses, headers,
chunks and trailers. No redirect is followed and no proxy is used. What is read is untrusted. GET requests to one host
share a connection, as long as the host keeps it open.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import h11

from catalog.net import idle_connections
from catalog.net.connecting import connect
from catalog.net.host_url import Server
from catalog.net.no_answer import Hangs, NoAnswer
from catalog.version import __version__

HEAD_SECONDS = 10.0
"""Seconds until the head of a response has to be there, resolving, connecting and TLS included."""

WHOLE_SECONDS = 60.0
"""Seconds until the whole response has to be there, plus one second for each SLOWEST bytes that it may have."""

SLOWEST = 64 << 10
"""Bytes a second: the slowest rate at which a response of the largest allowed size may arrive."""

MAX_HEAD = 64 << 10
"""Bytes before the body, interim responses included."""

MAX_INTERIM = 16
"""Number of interim responses (1xx)."""

_CHUNK = 1 << 16
"""Bytes that are received at once."""

_UNREAD = 64 << 10
"""Bytes of a response that are read after its last use, so that its connection can serve the next request."""

_UNREAD_SECONDS = 1.0
"""Seconds that this may take."""

_LOOK = "check the URL, the network and the host"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time.

    seconds: how long it was ahead at first.
    until: the time, on the monotonic clock.
    """

    seconds: float
    until: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that many seconds from now."""
        return cls(seconds, time.monotonic() + seconds)

    @classmethod
    def of(cls, at_most: int) -> Deadline:
        """The deadline of a response of at most that many bytes, repeated requests included."""
        return cls.after(WHOLE_SECONDS + at_most / SLOWEST)

    def left(self) -> float:
        """Seconds that are left; raises TimeoutError if there are none."""
        if (left := self.until - time.monotonic()) <= 0:
            raise TimeoutError
        return left

    def ends_within(self, seconds: float) -> bool:
        """Whether at most that many seconds are left."""
        return self.until - time.monotonic() <= seconds


@dataclass(frozen=True, slots=True)
class Response:
    """A response whose body is still to be read.

    headers: by name in lower case; the values of a repeated header are joined by ", ".
    chunks: of the body; raises as `send_request`.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


@contextmanager
def send_request(
    server: Server,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    at_most: int,
    deadline: Deadline | None = None,
) -> Iterator[Response]:
    """Send a request, and yield the response.

    at_most: bytes of the body that are read.
    deadline: if not given, that of a response of `at_most` bytes.

    Raises Hangs if the response is not there in time, NoAnswer if there is none or it is not HTTP; reading the chunks
    raises them too.
    """
    exchange = _Exchange(server, deadline or Deadline.of(at_most))
    with closing(exchange):
        status, found = exchange.ask(method, path, headers, body)
        yield Response(status, found, exchange.chunks(at_most))


class _Exchange:
    """One request on a connection. _limit: the deadline of what is read now: first the head, then the whole response.

    A GET request that a waiting connection does not answer with a single byte is sent again on a new one: the host may
    have closed the first one meanwhile.
    """

    def __init__(self, server: Server, whole: Deadline) -> None:
        self._server, self._whole = server, whole
        self._limit = min(Deadline.after(HEAD_SECONDS), whole, key=lambda one: one.until)
        self._in_head = True
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD + _CHUNK)
        self._socket: socket.socket | None = None
        self._received = 0
        self._ended = False

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """Send the request; returns status and headers of the response."""
        sent = {"Host": self._server.host, "User-Agent": f"ldcat/{__version__}", **headers}
        if method != "GET":
            sent["Connection"] = "close"
        if body:
            sent["Content-Length"] = str(len(body))
        request = h11.Request(method=method, target=path, headers=list(sent.items()))
        with self._reported():
            waiting = idle_connections.take(self._server) if method == "GET" else None
            response = self._answered(waiting, request) if waiting else None
            if response is None:
                self._socket = connect(self._server, self._limit.left)
                response = self._asked(request, body)
        self._limit, self._in_head = self._whole, False
        return response.status_code, _joined(response)

    def _answered(self, waiting: idle_connections.Connection, request: h11.Request) -> h11.Response | None:
        """The head of the response on a connection that was used before; None if nothing at all comes."""
        new, self._http, self._socket = self._http, waiting.http, waiting.socket
        try:
            return self._asked(request, b"")
        except (OSError, h11.ProtocolError) as error:
            if isinstance(error, TimeoutError) or self._received:
                raise
            self._socket.close()
            self._http, self._ended = new, False
            return None

    def _asked(self, request: h11.Request, body: bytes) -> h11.Response:
        self._send(request)
        if body:
            self._send(h11.Data(data=body))
        self._send(h11.EndOfMessage())
        return self._head()

    def chunks(self, at_most: int) -> Iterator[bytes]:
        """The body, up to that many bytes."""
        with self._reported():
            while at_most and isinstance(event := self._next(), h11.Data):
                chunk = bytes(event.data[:at_most])
                at_most -= len(chunk)
                self._limit.left()
                yield chunk

    def close(self) -> None:
        """Keep the connection for the next request if the response is complete, or soon is; close it otherwise."""
        if self._socket and self._is_done():
            self._http.start_next_cycle()
            idle_connections.keep(self._server, self._socket, self._http)
        elif self._socket:
            self._socket.close()

    def _is_done(self) -> bool:
        """Whether the whole response was read, and the host keeps the connection open. What is left is read."""
        try:
            self._limit = min(Deadline.after(_UNREAD_SECONDS), self._whole, key=lambda one: one.until)
            end = self._received + _UNREAD
            while self._http.our_state is h11.DONE and self._http.their_state is h11.SEND_BODY and self._received < end:
                self._next()
        except (OSError, h11.ProtocolError):
            return False
        is_over = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        return is_over and not self._http.trailing_data[0]

    def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        assert self._socket is not None, "it is connected"  # noqa: S101
        left = memoryview(self._http.send(event) or b"")
        while left:
            self._socket.settimeout(self._limit.left())
            left = left[self._socket.send(left) :]

    def _head(self) -> h11.Response:
        """The head of the final response, after the interim ones."""
        for _ in range(MAX_INTERIM + 1):
            event = self._next()
            self._check_head(self._received - len(self._http.trailing_data[0]))
            if isinstance(event, h11.Response):
                return event
        raise ConnectionError(f"more than {MAX_INTERIM} interim answers")

    def _check_head(self, size: int) -> None:
        if size > MAX_HEAD:
            raise ConnectionError(f"the head of the answer has more than {MAX_HEAD} bytes")

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event of the response."""
        assert self._socket is not None, "it is connected"  # noqa: S101
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._in_head:
                self._check_head(self._received)
            self._socket.settimeout(self._limit.left())
            data = self._socket.recv(_CHUNK)
            self._received += len(data)
            self._ended = not data
            self._http.receive_data(data)
        return event

    @contextmanager
    def _reported(self) -> Iterator[None]:
        name = self._server.name
        try:
            yield
        except TimeoutError as error:
            missing = "head of an answer" if self._in_head else "whole answer"
            raise Hangs(f"{name} hangs: no {missing} in {self._limit.seconds:.3g} seconds", _LOOK) from error
        except h11.ProtocolError as error:
            ended = "the connection was closed before the end"
            raise NoAnswer(
                f"{name} does not answer: {ended if self._ended else f'not HTTP: {error}'}", _LOOK
            ) from error
        except (OSError, ValueError) as error:  # ValueError: an invalid host name
            port = f" at port {self._server.port}" if self._server.port and isinstance(error, ConnectionError) else ""
            raise NoAnswer(f"{name} does not answer: {_reason(error)}{port}", _LOOK) from error


def _joined(response: h11.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _reason(error: Exception) -> str:
    """The message of the system, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(text.split()).rstrip(".").lower()
