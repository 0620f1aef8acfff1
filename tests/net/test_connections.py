"""Connections to a host are used again, as long as that changes nothing but their number."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from catalog.errors import NotThere, Unreadable
from catalog.net import idle_connections, static_host
from catalog.net.no_answer import NoAnswer
from catalog.net.static_host import StaticHost
from tests.support.counted_hosts import Counted, counted_host
from tests.support.hosts import Serve, answer, at_once

FILE = b"here\n" * 100


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    monkeypatch.setattr(static_host, "_PAUSES", ())
    for name in ("file", "checkpoint"):
        (tmp_path / name).write_bytes(FILE)
    with counted_host(tmp_path) as found:
        yield found


def closing(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 200, FILE, {"Connection": "close"})
    handler.close_connection = True


def closing_silently(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 200, FILE)
    handler.close_connection = True


def old(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + FILE)
    handler.close_connection = True


def chunked(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (500, FILE))


def more_than_it_says(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + FILE + b"HTTP/1.1 200 OK\r\n\r\nforged")


def test_requests_to_one_host_share_a_connection(counted: Counted) -> None:
    host = StaticHost.parse(counted.url)
    for _ in range(3):
        assert host.read("file", 1000) == FILE
    assert host.read("checkpoint", 500) == FILE
    with host.opened("file", 501) as chunks:
        assert b"".join(chunks) == FILE
    for _ in range(2):
        with pytest.raises(NotThere):
            host.read("nothing", 3)  # an error has a body of its own, which is read to its end
    assert host.read("file", 1000) == FILE
    assert counted.since() == (["file"] * 3 + ["checkpoint", "file", "nothing", "nothing", "file"], 1)


@pytest.mark.parametrize(("serve", "connections"), [(closing, 3), (closing_silently, 3), (old, 3), (chunked, 1)])
def test_hosts_that_close_the_connection(counted: Counted, serve: Serve, connections: int) -> None:
    counted.odd["file"] = serve
    host = StaticHost.parse(counted.url)
    for _ in range(3):
        assert host.read("file", 1000) == FILE
    assert counted.connections == connections


def test_what_was_not_requested_is_not_taken_for_an_answer(counted: Counted) -> None:
    counted.odd["file"] = more_than_it_says
    host = StaticHost.parse(counted.url)
    assert host.read("file", 1000) == FILE
    assert host.read("checkpoint", 1000) == FILE
    assert counted.connections == 2


def test_a_connection_that_fails_later_is_replaced_once(counted: Counted) -> None:
    """The host closes when it gets the second request: it may have begun to before it was sent."""
    host, seen = StaticHost.parse(counted.url), list[BaseHTTPRequestHandler]()

    def once(handler: BaseHTTPRequestHandler, root: Path) -> None:
        if handler in seen:
            handler.close_connection = True
        else:
            seen.append(handler)
            answer(handler, 200, FILE)

    counted.odd["file"] = once
    assert host.read("file", 1000) == FILE
    assert host.read("file", 1000) == FILE
    assert (len(counted.paths), counted.connections) == (3, 2)

    def never(handler: BaseHTTPRequestHandler, root: Path) -> None:
        handler.close_connection = True

    counted.odd["file"] = never
    with pytest.raises(NoAnswer, match="the connection was closed before the end"):
        host.read("file", 1000)
    assert len(counted.paths) == 5


def test_a_truncated_answer_is_not_requested_again(counted: Counted) -> None:
    def cut(handler: BaseHTTPRequestHandler, root: Path) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhe")
        handler.close_connection = True

    host = StaticHost.parse(counted.url)
    host.read("checkpoint", 1000)
    counted.odd["file"] = cut
    with pytest.raises(NoAnswer):
        host.read("file", 1000)
    assert counted.since() == (["checkpoint", "file"], 1)
    assert host.read("checkpoint", 1000) == FILE
    assert counted.since() == (["checkpoint"], 1)


def test_an_idle_connection_is_given_up(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    host = StaticHost.parse(counted.url)
    host.read("file", 1000)
    monkeypatch.setattr(idle_connections, "IDLE_SECONDS", 0.0)
    host.read("file", 1000)
    assert counted.connections == 2


def test_each_thread_has_a_connection_of_its_own(counted: Counted) -> None:
    host, together = StaticHost.parse(counted.url), threading.Barrier(12)

    def wait(handler: BaseHTTPRequestHandler, root: Path) -> None:
        together.wait(60)
        answer(handler, 200, FILE)

    counted.odd["file"] = wait
    at_once(12, lambda: _check(host))
    assert counted.connections == 12
    at_once(12, lambda: _check(host))
    assert counted.connections == 16  # eight of the first ones were kept
    counted.odd.clear()
    at_once(4, lambda: _check(host))
    assert counted.connections == 16


def _check(host: StaticHost) -> None:
    assert host.read("file", 1000) == FILE


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_has_no_connection_of_its_parent(counted: Counted) -> None:
    host = StaticHost.parse(counted.url)
    host.read("file", 1000)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os.write(writing, str(idle_connections.take(host.server)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"None"
    os.close(reading)
    os.close(writing)
    host.read("file", 1000)
    assert counted.connections == 1


def test_an_error_that_does_not_end_closes_the_connection(counted: Counted) -> None:
    """Only little is read of a body that nobody asked for."""
    ended = threading.Event()

    def endless(handler: BaseHTTPRequestHandler, root: Path) -> None:
        handler.send_response(403)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(bytes(1 << 16))
        ended.set()

    counted.odd["file"] = endless
    host = StaticHost.parse(counted.url)
    with pytest.raises(Unreadable, match="status 403"):
        host.read("file", 1000)
    assert ended.wait(60)
    host.read("checkpoint", 1000)
    assert counted.connections == 2
