"""A static host that keeps connections open, as web servers do, and counts them and the requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from catalog.net import idle_connections
from tests.support.hosts import POLL_SECONDS, Serve, Server, right


@dataclass
class Counted:
    """A host at `url`. paths: of the GET requests, in order; connections: how many were made."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    connections: int = 0
    odd: dict[str, Serve] = field(default_factory=dict)

    def since(self) -> tuple[list[str], int]:
        """Paths and connections since the last call."""
        found = self.paths[:], self.connections
        self.paths.clear()
        self.connections = 0
        return found

    def as_new_process(self) -> None:
        """What follows is counted alone, and begins without a connection, like a new command."""
        idle_connections.close_all()
        self.since()


@contextmanager
def counted_host(root: Path, serve: Serve = right) -> Iterator[Counted]:
    """Serves a folder below /logs/ over HTTP/1.1. odd: paths that are served in another way."""
    found, open_sockets = Counted(), set[socket.socket]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            found.connections += 1
            open_sockets.add(self.connection)

        def do_GET(self) -> None:
            path = self.path.removeprefix("/logs/")
            found.paths.append(path)
            found.odd.get(path, serve)(self, root)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/logs"
    try:
        yield found
    finally:
        idle_connections.close_all()
        server.shutdown()
        thread.join()
        for one in open_sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        server.server_close()
