"""Connections of this process that wait for the next request to the same host (HTTP/1.1 keep-alive)."""

from __future__ import annotations

import atexit
import os
import select
import socket
import threading
import time
from dataclasses import dataclass

import h11

from catalog.net.host_url import Server

IDLE_SECONDS = 30.0
"""Seconds until an unused connection is given up: what is between may then have forgotten it silently."""

_MOST = 8
"""Connections to one host that wait at the same time."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection between two requests. http: the state of the protocol, ready for a request."""

    socket: socket.socket
    http: h11.Connection
    since: float

    def is_open(self) -> bool:
        """Whether the host has neither closed it nor sent anything that was not requested."""
        poll = select.poll()  # unlike select.select, for any number of open files
        poll.register(self.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
        return time.monotonic() - self.since < IDLE_SECONDS and not poll.poll(0)


_waiting: dict[Server, list[Connection]] = {}
_guard = threading.Lock()


def take(server: Server) -> Connection | None:
    """An open connection to a host, which is the caller's now; None if there is none."""
    while True:
        with _guard:
            waiting = _waiting.get(server)
            if not waiting:
                return None
            found = waiting.pop()
        if found.is_open():
            return found
        found.socket.close()


def keep(server: Server, connection: socket.socket, http: h11.Connection) -> None:
    """Keep a connection after a complete response, for the next request."""
    kept = Connection(connection, http, time.monotonic())
    with _guard:
        waiting = _waiting.setdefault(server, [])
        if len(waiting) < _MOST:
            waiting.append(kept)
            return
    connection.close()


def close_all() -> None:
    """Close every connection that waits."""
    with _guard:
        closed = [one for waiting in _waiting.values() for one in waiting]
        _waiting.clear()
    for one in closed:
        one.socket.close()


def _after_fork() -> None:
    """Two processes must not use one connection: the child begins with none, and an unlocked guard."""
    global _guard
    _guard = threading.Lock()
    close_all()


atexit.register(close_all)
os.register_at_fork(after_in_child=_after_fork)
