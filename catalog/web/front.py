"""The front of the service: an ASGI application before the routes that caches, counts and logs.

A cached response takes little more time than the server itself.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from catalog.pages.html import POLICY
from catalog.web.metrics import Metrics
from catalog.web.release.current import LiveRelease
from catalog.web.release.open_release import OpenRelease
from catalog.web.replies import ASK_AGAIN, HTML, JSON, Reply

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

LOG_SECONDS = 0.2
"""Seconds for which lines of the access log are collected before they are written."""

COMMON: Headers = [(b"access-control-allow-origin", b"*"), (b"x-content-type-options", b"nosniff")]
"""Headers of every response: scripts of any origin may read it, and browsers do not guess its type."""

OF_PAGES: Headers = [
    *COMMON,
    (b"content-security-policy", f"{POLICY}; frame-ancestors 'none'".encode()),
    (b"referrer-policy", b"no-referrer"),
]
"""Headers of a page: only our scripts run, nobody may frame it, and links from it send no referrer."""

_OF_JSON: Headers = [(b"content-type", JSON.encode()), (b"cache-control", ASK_AGAIN.encode())]

_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"Content-Type, If-None-Match"),
    (b"access-control-max-age", b"86400"),
    *COMMON,
]


class ResponseCache:
    """The front of the service.

    inner: the routes.
    log: whether requests are logged on stderr.
    requests: number of requests so far.
    """

    def __init__(self, inner: App, current: LiveRelease, metrics: Metrics, *, log: bool) -> None:
        self._inner = inner
        self._current = current
        self._metrics = metrics
        self._lines: list[str] | None = [] if log else None
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        self.requests += 1
        served, method, path = self._current.served, scope["method"], scope["path"]
        reply = prepared = None
        if method in ("GET", "HEAD") and not scope["query_string"]:
            reply = served.answers.get(path) or served.pages.get(path)
            prepared = None if reply else served.prepared_answer(path)
        if prepared:
            route, (status, size) = "/d/{digest}.json", await self._give_prepared(prepared, served, scope, send)
        elif reply:
            route, (status, size) = reply.route, await self._give(reply, served, scope, send)
        elif method == "OPTIONS" and _header(scope, b"access-control-request-method"):
            route, status, size = "preflight", 204, 0
            await send({"type": "http.response.start", "status": status, "headers": _PREFLIGHT})
            await send({"type": "http.response.body", "body": b""})
        else:
            status, size = await self._routed(served, scope, receive, send)
            route = scope.get("ldcat.route", "unknown")
        seconds = time.perf_counter() - begun
        self._metrics.answered(route, status, seconds)
        if self._lines is not None:
            self._write_down(f"{method if method in _METHODS else '?'} {route} {status} {size} {seconds * 1000:.1f} ms")

    async def _give(self, reply: Reply, served: OpenRelease, scope: Scope, send: Send) -> tuple[int, int]:
        encodings = _header(scope, b"accept-encoding") if reply.packed else b""
        known = _header(scope, b"if-none-match")
        status, named, body = reply.answer(served.tag, known.decode("latin-1"), encodings.decode("latin-1"))
        headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
        headers += OF_PAGES if reply.content_type == HTML else COMMON
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.body", "body": body})
        return status, len(body)

    async def _give_prepared(self, body: bytes, served: OpenRelease, scope: Scope, send: Send) -> tuple[int, int]:
        """As `_give` of a JSON reply that is not compressed."""
        tag = served.tag.encode()
        headers = [*_OF_JSON, (b"etag", tag)]
        if _header(scope, b"if-none-match") == tag:
            status, body = 304, b""
        else:
            status = 200
            headers.append((b"content-length", b"%d" % len(body)))
        headers += COMMON
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.body", "body": body})
        return status, len(body)

    async def _routed(self, served: OpenRelease, scope: Scope, receive: Receive, send: Send) -> tuple[int, int]:
        status, size = 499, 0  # nobody waited for it

        async def sent(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                named = list(message.get("headers", ()))
                is_page = any(name == b"content-type" and value.startswith(b"text/html") for name, value in named)
                message["headers"] = named + (OF_PAGES if is_page else COMMON)
            else:
                size += len(message.get("body", b""))
            await send(message)

        scope["ldcat.served"] = served
        await self._inner(scope, receive, sent)
        return status, size

    def _write_down(self, line: str) -> None:
        assert self._lines is not None, "called only if requests are logged"  # noqa: S101
        if not self._lines:
            asyncio.get_running_loop().call_later(LOG_SECONDS, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        """Write the lines of the access log that were collected."""
        if self._lines:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            text = "".join(f"{now} {line}\n" for line in self._lines)
            self._lines.clear()
            with suppress(OSError):
                sys.stderr.write(text)
                sys.stderr.flush()


_METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"))


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""
