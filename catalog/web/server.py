"""An HTTP server in this process: one socket, few and short connections, one line where something breaks.

TLS, many clients and what they may do belong to a reverse proxy before it.
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
"""Fewer than the files a process may have open where nobody says more."""

CONNECTION_SECONDS = 30
"""From when on a connection ends as soon as no answer is due."""

GRACE_SECONDS = 10
"""What is being answered when the server has to end."""

MAX_HEAD = 16 << 10
"""Bytes of the head of a request."""


def need_extra(*names: str) -> None:
    """Raises UsageError where one of the packages that serve is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise UsageError(f"to serve, {name} is needed", "pip install 'ldcat[serve]'")


def listen(address: str) -> socket.socket:
    """A socket that listens at HOST:PORT, where port 0 is any; raises UsageError, Unreadable."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise UsageError(f"{address!r} is no address to listen at", "HOST:PORT, such as 127.0.0.1:8080 or [::1]:0")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: what is no host name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(f"cannot listen at {address}: {reason.lower()}") from error


def listening_url(listening: socket.socket) -> str:
    """Where a socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(app: ASGIApp, listening: socket.socket, *, ready: Callable[[], None]) -> None:
    """Answer until SIGTERM or SIGINT, and then what was asked already; a second SIGINT ends it at once.

    ready: called once connections are taken and signals are heard.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Connection(H11Protocol):
        """One that does not stay: neither who sends slowly, nor who sends nothing, keeps others out for long."""

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
            yield  # they are heard below, and not raised again

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
