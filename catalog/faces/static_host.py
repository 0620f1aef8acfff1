"""A static host that serves a log: one file at a time, bounded in bytes and in time, and nowhere else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from urllib.parse import urlsplit

from catalog import __version__
from catalog.errors import Unreadable, UsageError
from catalog.query.doctor_host import ASKING_ORIGIN, Answer, Question

_PATIENCE = 10.0
"""Seconds to wait for a word."""

_DEADLINE = 60.0
"""Seconds that one answer may take."""

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class StaticHost:
    """prefix: path of the log's folder, without a slash at the end. port: None for that of the scheme."""

    https: bool
    name: str
    port: int | None
    prefix: str

    @classmethod
    def parse(cls, url: str) -> StaticHost:
        """Raises UsageError for what is no https URL of a folder; http is for this machine alone."""
        hint = "https://HOST/PATH, or http://127.0.0.1:PORT/PATH"
        if "@" in url:  # which is not shown
            raise UsageError("a URL with a user name or a password in it is not asked", hint)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"{url!r} is no URL", hint) from error
        name = parts.hostname or ""
        if not url.isascii() or not url.isprintable() or " " in url or not name or parts.query or parts.fragment:
            raise UsageError(f"{url!r} is no URL of a folder", hint)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(name)):
            raise UsageError(f"{url} is not asked: only https is, and http on this machine", hint)
        return cls(parts.scheme == "https", name, port, parts.path.rstrip("/"))

    def ask(self, question: Question) -> Answer:
        """One request; raises Unreadable where no answer comes, or none that is HTTP."""
        made = HTTPSConnection if self.https else HTTPConnection
        connection = made(self.name, self.port, timeout=_PATIENCE)
        headers = {
            "Accept-Encoding": question.encodings,
            "Connection": "close",
            "Origin": ASKING_ORIGIN,
            "User-Agent": f"ldcat/{__version__}",
        }
        try:
            connection.request("GET", f"{self.prefix}/{question.path}", headers=headers)
            response = connection.getresponse()
            return Answer(response.status, _headers(response), _body(response, question.at_most))
        except (OSError, HTTPException, UnicodeError) as error:
            raise Unreadable(f"{self.name} does not answer: {_reason(error)}") from error
        finally:
            connection.close()


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _headers(response: HTTPResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        before = found.get(name.lower())
        found[name.lower()] = value if before is None else f"{before}, {value}"
    return found


def _body(response: HTTPResponse, at_most: int) -> bytes:
    until, body = time.monotonic() + _DEADLINE, b""
    while len(body) < at_most and (chunk := response.read1(min(_CHUNK, at_most - len(body)))):
        body += chunk
        if time.monotonic() > until:
            raise TimeoutError(f"no whole answer in {_DEADLINE:.0f} seconds")
    return body


def _reason(error: Exception) -> str:
    """In the system's words; in one line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(said.split()).rstrip(".").lower()
