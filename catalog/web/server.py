"""The HTTP server of a witness, Uvicorn in this process: one socket, short connections, one line for each failure.

TLS, many clients and access control belong to a reverse proxy in front of it.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from catalog.errors import Unreadable, UsageError
from catalog.terminal import render

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MAX_CONNECTIONS = 400
"""Connections at a time: below the usual limit of open files for a process."""

CONNECTION_SECONDS = 30
"""Seconds after which a connection is closed as soon as no response is due."""

GRACE_SECONDS = 10
"""Seconds for pending responses when the server has to stop."""

MAX_HEAD = 16 << 10
"""Bytes: request line and headers."""


def need_extra(*names: str) -> None:
    """Raises UsageError if one of these packages is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise UsageError(f"serving needs the package {name}", "pip install 'ldcat[serve]'")


def listen(address: str) -> socket.socket:
    """A socket that listens at HOST:PORT; port 0 takes any free port.

    Raises UsageError for an invalid address, Unreadable if the system refuses it.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise UsageError(f"{address!r} is not an address to listen at", "HOST:PORT, such as 127.0.0.1:8080 or [::1]:0")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: not a host name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(f"cannot listen at {address}: {reason.lower()}") from error


def listening_url(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run_uvicorn(app: ASGIApp, listening: socket.socket, *, ready: Callable[[], None]) -> None:
    """Run the witness in Uvicorn until SIGTERM or SIGINT, and finish pending responses; a second SIGINT stops at once.

    ready: called once connections are accepted and signals are handled.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Connection(H11Protocol):
        """A connection of limited duration, so that slow or silent clients do not keep others out."""

        _end: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > MAX_CONNECTIONS:
                transport.abort()
            else:
                self._end = self.loop.call_later(CONNECTION_SECONDS, self._finish)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._end:
                self._end.cancel()
            super().connection_lost(exc)

        def _finish(self) -> None:
            if not self.transport.is_closing():
                self.shutdown()

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            yield  # signals are handled below, and not raised again

    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=CONNECTION_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD,
    )
    server = Server(config)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_say)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.handle_exit, number, None)
        ready()
        await server.serve(sockets=[listening])

    asyncio.run(run())


def _say(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop
    render.warning(f"{context['message']}: {context.get('exception')!r}")
