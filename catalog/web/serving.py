"""The HTTP server of the lookup service: Granian on a socket that is opened here, until SIGTERM or SIGINT.

TLS belongs to a reverse proxy in front of it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Timer
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

from catalog.web.current import LiveRelease
from catalog.web.front import ResponseCache
from catalog.web.memory import give_back

MAX_CONNECTIONS = 8192
"""Connections served at a time, if the process may open that many files; others wait."""

_FILES = 128
"""Files that the service needs besides connections."""

SILENT_SECONDS = 10
"""Seconds in which a new connection has to send something, and a request has to send all its headers."""

GRACE_SECONDS = 10
"""Seconds for pending responses when the service has to stop; then it stops anyway."""

MAX_BUFFER = 64 << 10
"""Bytes: headers of a request, and how much of its body is read ahead."""


class _Server(Server):
    """Granian's own socket would share its port with other processes and hide which port it got: adr 0014."""

    def __init__(self, app: ResponseCache, listening: socket.socket, connections: int) -> None:
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
    front: ResponseCache, current: LiveRelease, listening: socket.socket, *, ready: Callable[[], None]
) -> None:
    """Run the service in Granian until SIGTERM or SIGINT, and finish pending responses; a second signal stops at once.

    ready: called once connections are accepted and signals are handled.
    """
    connections = _connections()
    listening.listen(MAX_CONNECTIONS)
    listening.setblocking(False)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_SECONDS)  # silent clients cost nothing

    async def run() -> None:
        server = _Server(front, listening, connections)
        ending: list[Timer] = []

        def end() -> None:
            if ending:
                _end(front)
            ending.append(Timer(GRACE_SECONDS, _end, (front,)))
            ending[0].daemon = True
            ending[0].start()
            server.stop()  # type: ignore[no-untyped-call]

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end)
        besides = [asyncio.create_task(current.watch()), asyncio.create_task(give_back(lambda: front.requests))]
        ready()
        try:
            await server.serve()
        finally:
            for task in besides:
                task.cancel()
            front.flush()

    asyncio.run(run())


def _end(front: ResponseCache) -> None:
    """End the process, even if threads or slow clients are not finished."""
    front.flush()
    os._exit(0)


def _connections() -> int:
    """Connections served at a time. The limit of open files of this process is raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _FILES
    allowed = max(soft, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(16, min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0]) - _FILES)
