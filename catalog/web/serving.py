"""The HTTP server of the lookup service and of a witness: Granian on a socket opened here, until SIGTERM or SIGINT.

TLS belongs to a reverse proxy in front of it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from contextlib import suppress
from threading import Timer
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
"""An ASGI application."""

MAX_CONNECTIONS = 8192
"""Connections of the service at a time; others wait. More than this wait in no queue."""

_FILES = 128
"""Files that the process needs besides connections."""

SILENT_SECONDS = 10
"""Seconds in which a connection has to send something, and a request has to send all its headers."""

GRACE_SECONDS = 10
"""Seconds for pending responses when the server has to stop; then it stops anyway."""

MAX_BUFFER = 64 << 10
"""Bytes: headers of a request, and how much of its body is read ahead."""


class _Server(Server):
    """Granian's own socket would share its port with other processes and hide which port it got: adr 0014."""

    def __init__(self, app: App, listening: socket.socket, connections: int) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,  # there is no timeout for silent HTTP/2 connections
            backlog=MAX_CONNECTIONS,
            backpressure=connections,
            http1_settings=HTTP1Settings(header_read_timeout=1000 * SILENT_SECONDS, max_buffer_size=MAX_BUFFER),
            websockets=False,
            log_enabled=False,
        )
        self._listening = listening

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its stubs lack the arguments; it closes the descriptor
        self._shd = holder(os.dup(self._listening.fileno()), False, MAX_CONNECTIONS)


def run_granian(
    app: App,
    listening: socket.socket,
    *,
    ready: Callable[[], None],
    connections: int = MAX_CONNECTIONS,
    besides: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    hangup: Callable[[], None] | None = None,
    finish: Callable[[], None] = lambda: None,
) -> None:
    """Run an application until SIGTERM or SIGINT, and finish pending responses; a second signal stops at once.

    ready: called once connections are accepted and signals are handled.
    connections: how many are served at a time, if the process may open that many files; others wait.
    besides: what runs meanwhile.
    hangup: called at SIGHUP; if not given, SIGHUP ends the process as usual.
    finish: called before the process ends.
    """
    connections = _connections(connections)
    listening.listen(MAX_CONNECTIONS)
    listening.setblocking(False)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_SECONDS)  # silent clients cost nothing

    async def run() -> None:
        server = _Server(app, listening, connections)
        loop = asyncio.get_running_loop()
        ending: list[Timer] = []

        def end() -> None:
            if ending:
                _end(finish)
            ending.append(Timer(GRACE_SECONDS, _end, (finish,)))
            ending[0].daemon = True
            ending[0].start()
            server.stop()  # type: ignore[no-untyped-call]

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        if hangup is not None:
            loop.add_signal_handler(signal.SIGHUP, hangup)
        tasks = [asyncio.create_task(begin()) for begin in besides]
        ready()
        try:
            await server.serve()
        finally:
            for task in tasks:
                task.cancel()
            finish()

    asyncio.run(run())


def _end(finish: Callable[[], None]) -> None:
    """End the process, even if threads or slow clients are not finished."""
    finish()
    os._exit(0)


def _connections(most: int) -> int:
    """Connections served at a time. The limit of open files of this process is raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _FILES
    allowed = max(soft, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(most, max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _FILES))
