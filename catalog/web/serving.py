"""The service as a process: Granian on a socket that is opened here, until SIGTERM or SIGINT.

TLS belongs to a reverse proxy before it.
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
"""That are answered at a time, where the process may have as many files open; others wait."""

_FILES = 128
"""That the service has open besides."""

SILENT_SECONDS = 10
"""After which a connection ends on which no request came to the end of its head, and one on which none begins."""

GRACE_SECONDS = 10
"""For what is being answered when the service has to end; then it ends all the same."""

MAX_BUFFER = 64 << 10
"""Bytes of the head of a request, and of what is read ahead of its body."""


class _Server(Server):
    """Granian's own would share its port with whoever opens it too, and not say which one it got: adr 0014."""

    def __init__(self, app: ResponseCache, listening: socket.socket, connections: int) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,  # on a connection of HTTP/2 nothing would have to be said in time
            backlog=MAX_CONNECTIONS,
            backpressure=connections,
            http1_settings=HTTP1Settings(header_read_timeout=1000 * SILENT_SECONDS, max_buffer_size=MAX_BUFFER),
            websockets=False,
            log_enabled=False,
        )
        self._listening = listening

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its stubs do not say what it takes; it closes what it is given
        self._shd = holder(os.dup(self._listening.fileno()), False, MAX_CONNECTIONS)


def serve(front: ResponseCache, current: LiveRelease, listening: socket.socket, *, ready: Callable[[], None]) -> None:
    """Answer until SIGTERM or SIGINT, and then what was asked already; a second one ends it at once.

    ready: called once connections are taken and signals are heard.
    """
    connections = _connections()
    listening.listen(MAX_CONNECTIONS)
    listening.setblocking(False)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_SECONDS)  # who says nothing costs nothing

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
    """Whatever still goes on: threads, and whoever reads slowly."""
    front.flush()
    os._exit(0)


def _connections() -> int:
    """How many are answered at a time, by the files that this process may have open, which are as many as can be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _FILES
    allowed = max(soft, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(16, min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0]) - _FILES)
