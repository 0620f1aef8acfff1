"""Static file hosts, such as a bucket or a file server."""

from __future__ import annotations

import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.01
"""Interval in which a server checks whether it has to end."""


@dataclass
class StaticHost:
    """A host that serves a folder at `url`. requests: each path, with the number of bytes sent for it."""

    url: str = ""
    requests: list[tuple[str, int]] = field(default_factory=list)


@contextmanager
def static_host(folder: Path) -> Iterator[StaticHost]:
    """Serves the folder below /logs/."""
    found = StaticHost()

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return super().translate_path(path.removeprefix("/logs"))

        def copyfile(self, source: Any, outputfile: Any) -> None:
            data = source.read()
            found.requests.append((self.path.removeprefix("/logs/"), len(data)))
            outputfile.write(data)

        def log_message(self, *message: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/logs/"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


FOREVER = "public, max-age=31536000, immutable"

Serve = Callable[[BaseHTTPRequestHandler, Path], None]


def right(handler: BaseHTTPRequestHandler, root: Path) -> None:
    """The answer of a correct static host."""
    path = root / handler.path.removeprefix("/logs/")
    if not handler.path.startswith("/logs/") or not path.is_file():
        return answer(handler, 404, b"not here")
    fresh = "no-cache" if path.name == "checkpoint" else FOREVER
    kinds = {"checkpoint": "text/plain; charset=utf-8", "manifest.json": "application/json"}
    kinds["revocations.json"] = "application/json"
    headers = {"Content-Type": kinds.get(path.name, "application/octet-stream"), "Cache-Control": fresh, "ETag": '"1"'}
    if handler.headers["Origin"]:
        headers["Access-Control-Allow-Origin"] = "*"
    return answer(handler, 200, path.read_bytes(), headers)


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Connection errors are left for the client to report."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Server6(Server):
    address_family = socket.AF_INET6


@contextmanager
def serving(
    root: Path, serve: Serve = right, *, tls: ssl.SSLContext | None = None, kind: type[Server] = Server
) -> Iterator[str]:
    """The port of a server, which ends with the context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serve(self, root)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = kind(("::1" if kind is Server6 else "127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS})
    thread.start()
    try:
        yield str(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Host:
    """Serves a log like a static host, except for paths in `odd`. requests: paths."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.odd: dict[str, Serve] = {}

    def __call__(self, handler: BaseHTTPRequestHandler, root: Path) -> None:
        path = handler.path.removeprefix("/logs/")
        self.requests.append(path)
        self.odd.get(path, right)(handler, root)


def at_once(count: int, ask: Callable[[], None]) -> None:
    """Runs several threads; raises an exception of any of them."""
    with ThreadPoolExecutor(count) as threads:
        for future in [threads.submit(ask) for _ in range(count)]:
            future.result()
