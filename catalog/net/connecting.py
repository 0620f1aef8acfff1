"""Connect to a host: each of its addresses is tried, TLS included, until a deadline."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from catalog.net.host_url import Server, is_loopback
from catalog.net.resolving import resolved

if TYPE_CHECKING:
    import ssl

_MOST_ADDRESSES = 8
"""Number of addresses of a host that are tried."""

Left = Callable[[], float]
"""Seconds that are left; raises TimeoutError if there are none."""


def connect(server: Server, left: Left) -> socket.socket:
    """A connection to a host. Raises OSError, TimeoutError if nothing is left, ValueError for an invalid name."""
    addresses, failure = _addresses(server, left), OSError("that is not this machine")
    for number, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(left() / (len(addresses) - number))  # the next one may be reachable
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _secured(connection, server.name, left) if server.https else connection
    raise failure


def _addresses(server: Server, left: Left) -> list[tuple[socket.AddressFamily, Any]]:
    port = (443 if server.https else 80) if server.port is None else server.port
    found = [(family, address) for family, *_, address in resolved(server.name, port, left())]
    if not server.https and not server.anywhere:  # "localhost" may resolve to another machine
        found = [one for one in found if is_loopback(one[1][0])]
    return found[:_MOST_ADDRESSES]


def _secured(connection: socket.socket, name: str, left: Left) -> ssl.SSLSocket:
    import ssl  # it takes a tenth of a lookup's time to load

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        secured = context.wrap_socket(connection, server_hostname=name, do_handshake_on_connect=False)
    except (OSError, ValueError):
        connection.close()
        raise
    try:
        secured.settimeout(left())
        secured.do_handshake()
    except OSError:
        secured.close()
        raise
    return secured
