"""Servers that never finish an answer: what they send is valid, one byte at a time."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

SECONDS = 60
"""Timeout for what takes a second or never happens."""

_PACE = 0.005
"""Seconds from byte to byte."""

T = TypeVar("T")

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "silence": (b"", b""),
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "headers": (OK, b"X: y\r\n"),
    "one header": (OK + b"X: ", b"x"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"),
    "body": (OK + b"Content-Length: 1000000\r\n\r\n", b"."),
    "body without an end": (OK + b"\r\n", b"."),
    "chunk size": (CHUNKED, b"0"),
    "chunk extension": (CHUNKED + b"1;", b"x"),
    "small chunks": (CHUNKED, b"1\r\n.\r\n"),
    "trailers": (CHUNKED + b"1\r\n.\r\n0\r\n", b"X: y\r\n"),
}
"""Kinds of slow answers: the bytes sent at once, and those then sent one by one, repeatedly."""


@dataclass
class Dripping:
    """A server that listens on `port`. requests: those received. let_go: set to end it."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def dripping(at_once: bytes, then: bytes, *, hears: bool = True) -> Iterator[Dripping]:
    """hears: reads a request before it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Dripping(listening.getsockname()[1])
        waiting: list[threading.Thread] = []

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                if found.let_go.is_set():
                    connection.close()
                    return
                waiting.append(threading.Thread(target=_drip, args=(found, connection, at_once, then, hears)))
                waiting[-1].start()

        accepting = threading.Thread(target=serve)
        accepting.start()
        try:
            yield found
        finally:
            found.let_go.set()
            with socket.socket() as last:
                last.connect(("127.0.0.1", found.port))
            for thread in (accepting, *waiting):
                thread.join(SECONDS)


def _drip(found: Dripping, connection: socket.socket, at_once: bytes, then: bytes, hears: bool) -> None:
    with connection, suppress(OSError):
        if hears:
            found.requests.append(connection.recv(1 << 16))
        connection.sendall(at_once)
        for byte in _again(then):
            if found.let_go.wait(_PACE):
                return
            connection.sendall(byte)
        found.let_go.wait()


def _again(then: bytes) -> Iterable[bytes]:
    return (bytes([byte]) for byte in itertools.cycle(then))


def in_time(ask: Callable[[], T], *let_go: threading.Event) -> T:
    """The result of a call; fails if it does not end in time. Always sets the events, so that the call does end."""
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask)
        try:
            return answer.result(SECONDS)
        finally:
            for event in let_go:
                event.set()
