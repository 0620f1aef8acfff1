"""What a server of this process needs before it runs: packages, and the socket at which it listens."""

from __future__ import annotations

import os
import socket
from importlib.util import find_spec

from catalog.errors import Unreadable, UsageError


def need_extra(*names: str) -> None:
    """Raises UsageError if one of these packages is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise UsageError(f"serving needs the package {name}", "pip install 'ldcat[serve]'")


def address(listen: str, host: str | None, port: int | None) -> str:
    """HOST:PORT of `listen`, with another host or port if they are given."""
    if host is None and port is None:
        return listen
    listen_host, _, listen_port = listen.rpartition(":")
    if host is not None and ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{listen_host if host is None else host}:{listen_port if port is None else port}"


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
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise Unreadable(f"cannot listen at {address}: {reason.lower()}", "give another address or port") from error


def listening_url(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
