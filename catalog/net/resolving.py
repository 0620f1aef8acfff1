"""Resolve host names in a thread, which is abandoned if it takes too long: nothing can stop a resolver."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import Any

Addresses = list[tuple[socket.AddressFamily, int, int, str, Any]]
"""What socket.getaddrinfo returns."""

_resolving: dict[tuple[str, int], Future[Addresses]] = {}
_guard = threading.Lock()


def resolved(name: str, port: int, seconds: float) -> Addresses:
    """The addresses of a host; raises TimeoutError after that many seconds, OSError, and UnicodeError.

    Callers that need the same name wait for the same thread, so a resolver that hangs takes only one.
    """
    key = name, port
    with _guard:
        if (found := _resolving.get(key)) is None:
            found = Future()
            threading.Thread(target=_resolve, args=(key, found), name=f"resolve {name}", daemon=True).start()
            _resolving[key] = found
    return found.result(seconds)


def _resolve(key: tuple[str, int], found: Future[Addresses]) -> None:
    addresses: Any
    failure: Exception | None = None
    try:
        addresses = socket.getaddrinfo(*key, type=socket.SOCK_STREAM)
    except Exception as error:  # raised again in the threads that wait for it
        failure = error
    with _guard:
        del _resolving[key]
    if failure:
        found.set_exception(failure)
    else:
        found.set_result(addresses)
