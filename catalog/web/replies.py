"""Replies: responses that can be cached as long as the same release is served."""

from __future__ import annotations

import gzip
import json
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

JSON = "application/json"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"

FIXED = "public, max-age=31536000, immutable"
"""Cache-Control for content-addressed assets and files that never change."""

ASK_AGAIN = "no-cache"
"""Cache-Control for answers that change with the release: revalidate by ETag."""


class Reply(NamedTuple):
    """A response that can be cached.

    route: the route template, for metrics; never the digest.
    body: the uncompressed body.
    caching: Cache-Control.
    packed: the body compressed with gzip; empty if that is not worth it.
    """

    route: str
    body: bytes
    content_type: str
    caching: str = ASK_AGAIN
    packed: bytes = b""

    def shrunk(self) -> Reply:
        """The same, with the body compressed too if it is large enough."""
        if len(self.body) < WORTH_PACKING:
            return self
        return self._replace(packed=gzip.compress(self.body, _LEVEL, mtime=0))

    def answer(self, tag: str, known: str, encodings: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body.

        tag: ETag of the release.
        known: If-None-Match of the request.
        encodings: Accept-Encoding of the request.
        """
        is_packed = bool(self.packed) and "gzip" in encodings
        tag = f'{tag[:-1]}-gzip"' if is_packed else tag
        headers = {"Content-Type": self.content_type, "Cache-Control": self.caching, "ETag": tag}
        if self.packed:
            headers["Vary"] = "Accept-Encoding"
        if known == tag:
            return 304, headers, b""
        body = self.packed if is_packed else self.body
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return 200, {**headers, "Content-Length": str(len(body))}, body


WORTH_PACKING = 8 << 10
"""Bytes: smaller bodies are not compressed."""

_LEVEL = 5
"""Level of gzip: a page takes a few milliseconds."""


def json_bytes(value: Any) -> bytes:
    """JSON in printable ASCII, as the command line prints it: it may end up in a terminal."""
    encoded = msgspec.json.encode(value)
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f").encode("ascii")


def uncached_json(value: Any) -> Response:
    """A JSON response that must not be cached."""
    return Response(json_bytes(value), headers={"Cache-Control": "no-store"}, media_type=JSON)
