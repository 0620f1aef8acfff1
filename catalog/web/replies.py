"""Replies: answers that are given again as they are, as long as the same release is served."""

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
"""Cache-Control of what never is another at the same address."""

ASK_AGAIN = "no-cache"
"""Of what is, which an ETag tells apart."""


class Reply(NamedTuple):
    """route: what was asked, not what was asked about. caching: Cache-Control. packed: the body in gzip, or none."""

    route: str
    body: bytes
    content_type: str
    caching: str = ASK_AGAIN
    packed: bytes = b""

    def shrunk(self) -> Reply:
        """With the body in gzip, too, where that is worth it."""
        if len(self.body) < _WORTH_PACKING:
            return self
        return self._replace(packed=gzip.compress(self.body, _LEVEL, mtime=0))

    def answer(self, tag: str, known: str, encodings: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body. tag: its ETag. known: the one that whoever asks has. encodings: that he takes."""
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


_WORTH_PACKING = 8 << 10
"""Bytes."""

_LEVEL = 5
"""Of gzip: a page in a few milliseconds."""


def json_bytes(value: Any) -> bytes:
    """JSON in printable ASCII, as the command line has it: a terminal may be where it ends."""
    encoded = msgspec.json.encode(value)
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f").encode("ascii")


def told(value: Any) -> Response:
    """JSON that is nobody else's, or of this moment."""
    return Response(json_bytes(value), headers={"Cache-Control": "no-store"}, media_type=JSON)
