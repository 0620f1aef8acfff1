"""URLs of hosts: https, or plain http to this machine, without user names and passwords."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from catalog.errors import UsageError

_HINT = "https://HOST/PATH, or http://127.0.0.1:PORT/PATH"


class PlainHttp(UsageError):
    """A plain http URL of another machine."""


@dataclass(frozen=True, slots=True)
class Server:
    """A host and how to connect to it.

    port: None for the default of the scheme.
    anywhere: whether plain http to another machine is allowed.
    """

    https: bool
    name: str
    port: int | None
    anywhere: bool = False

    @classmethod
    def parse(cls, url: str, *, anywhere: bool = False) -> tuple[Server, str]:
        """The server and the path, without a slash at the end.

        Raises UsageError for an invalid URL, PlainHttp for http to another machine unless `anywhere`.
        """
        if "@" in url:  # the message does not show it: it may contain a password
            raise UsageError("the URL contains a user name or a password", _HINT)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"{url!r} is not a URL", _HINT) from error
        name, plain = parts.hostname or "", parts.scheme == "http"
        if not url.isascii() or not url.isprintable() or " " in url or not name or parts.query or parts.fragment:
            raise UsageError(f"{url!r} is not a URL of a folder", _HINT)
        if parts.scheme != "https" and not (plain and (anywhere or is_loopback(name))):
            kind = PlainHttp if plain else UsageError
            raise kind(f"{url} is not allowed: only https is, and http on this machine", _HINT)
        return cls(not plain, name, port, anywhere), parts.path.rstrip("/")

    @property
    def url(self) -> str:
        """The URL of the server, which `parse` takes."""
        port = "" if self.port is None else f":{self.port}"
        return f"{'https' if self.https else 'http'}://{self._literal}{port}"

    @property
    def host(self) -> str:
        """Value of the Host header."""
        return self._literal if self.port is None else f"{self._literal}:{self.port}"

    @property
    def _literal(self) -> str:
        return f"[{self.name}]" if ":" in self.name else self.name


def is_loopback(name: str) -> bool:
    """Whether a host name or an IP address is this machine's own."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
