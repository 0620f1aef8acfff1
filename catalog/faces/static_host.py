"""A static host that serves a log: one file at a time, bounded in bytes and in time, and nowhere else.

Redirections are not followed: what was asked is where the answer comes from. What is read is untrusted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from urllib.parse import urlsplit

from catalog import __version__
from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.query.doctor_host import ASKING_ORIGIN, Answer, Question

_PATIENCE = 10.0
"""Seconds to wait for a word."""

_DEADLINE = 60.0
"""Seconds that one answer may take."""

_CHUNK = 1 << 16

_SLOWEST = 64 << 10
"""Bytes a second of a large file, besides _DEADLINE."""

_PAUSES = (0.5, 2.0)
"""Seconds before it is asked again, where nothing came or the host says that it may."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be another a little later."""


class NotThere(Unreadable):
    """The host says that there is no such file."""


class NoAnswer(Unreadable):
    """No host, no connection, no HTTP, or not all of an answer."""


@dataclass(frozen=True, slots=True)
class StaticHost:
    """prefix: path of the log's folder, without a slash at the end. port: None for that of the scheme."""

    https: bool
    name: str
    port: int | None
    prefix: str

    @classmethod
    def parse(cls, url: str) -> StaticHost:
        """Raises UsageError for what is no https URL of a folder; http is for this machine alone."""
        hint = "https://HOST/PATH, or http://127.0.0.1:PORT/PATH"
        if "@" in url:  # which is not shown
            raise UsageError("a URL with a user name or a password in it is not asked", hint)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"{url!r} is no URL", hint) from error
        name = parts.hostname or ""
        if not url.isascii() or not url.isprintable() or " " in url or not name or parts.query or parts.fragment:
            raise UsageError(f"{url!r} is no URL of a folder", hint)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(name)):
            raise UsageError(f"{url} is not asked: only https is, and http on this machine", hint)
        return cls(parts.scheme == "https", name, port, parts.path.rstrip("/"))

    @property
    def url(self) -> str:
        """Of the folder, as it can be asked for again."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        port = "" if self.port is None else f":{self.port}"
        return f"{'https' if self.https else 'http'}://{name}{port}{self.prefix}"

    def ask(self, question: Question) -> Answer:
        """One request; raises NoAnswer where none comes, or none that is HTTP."""
        with self._response(question.path, question.encodings, {"Origin": ASKING_ORIGIN}) as response:
            return Answer(response.status, _headers(response), b"".join(self._chunks(response, question.at_most)))

    def read(self, path: str, at_most: int) -> bytes:
        """A file, asked for again where the host is busy; raises Unreadable, MalformedInput for a larger one."""
        for pause in (*_PAUSES, None):
            try:
                with self._response(path) as response:
                    if response.status not in _BUSY or pause is None:
                        self._check(path, response)
                        data = b"".join(self._chunks(response, at_most + 1))
                        break
            except NoAnswer:
                if pause is None:
                    raise
            time.sleep(pause)
        if len(data) > at_most:
            raise MalformedInput(f"{self.url}/{path} has more than {at_most} bytes")
        return data

    @contextmanager
    def opened(self, path: str, at_most: int) -> Iterator[Iterator[bytes]]:
        """The chunks of a file that may be large, at most so many bytes; raises as `read`."""
        with self._response(path) as response:
            self._check(path, response)
            yield self._chunks(response, at_most)

    def _chunks(self, response: HTTPResponse, at_most: int) -> Iterator[bytes]:
        """The body, up to so many bytes; raises NoAnswer for one that takes too long, however it drips, or is cut."""
        until, left = time.monotonic() + _DEADLINE + at_most / _SLOWEST, at_most
        try:
            while left and (chunk := response.read1(min(_CHUNK, left))):
                yield chunk
                left -= len(chunk)
                if time.monotonic() > until:
                    raise TimeoutError("no whole answer in time")
            if left and response.length:
                raise ConnectionError("the connection was closed before the end")
        except (OSError, HTTPException) as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> NoAnswer:
        return NoAnswer(f"{self.name} does not answer: {_reason(error)}")

    def _check(self, path: str, response: HTTPResponse) -> None:
        """Raises Unreadable for an answer that is not the file, as it is."""
        if response.status != 200:
            where = response.getheader("Location", "")
            to = f", a redirection to {where}, which is not followed" if 300 <= response.status < 400 else ""
            kind = NotThere if response.status in (404, 410) else Unreadable
            raise kind(f"{self.url}/{path} is answered with status {response.status}{to}")
        if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
            raise Unreadable(f"{self.url}/{path} comes compressed, which was not asked for")

    @contextmanager
    def _response(
        self, path: str, encodings: str = "identity", more: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        made = HTTPSConnection if self.https else HTTPConnection
        connection = made(self.name, self.port, timeout=_PATIENCE)
        headers = {
            "Accept-Encoding": encodings,
            "Connection": "close",
            "User-Agent": f"ldcat/{__version__}",
            **(more or {}),
        }
        try:
            connection.request("GET", f"{self.prefix}/{path}", headers=headers)
            yield connection.getresponse()
        except (OSError, HTTPException, UnicodeError) as error:
            raise self._silent(error) from error
        finally:
            connection.close()


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _headers(response: HTTPResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        before = found.get(name.lower())
        found[name.lower()] = value if before is None else f"{before}, {value}"
    return found


def _reason(error: Exception) -> str:
    """In the system's words; in one line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(said.split()).rstrip(".").lower()
