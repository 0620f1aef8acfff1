"""A response from an open file: read while it is sent, whole or one byte range; the path is not looked up again."""

from __future__ import annotations

import os
import re

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_CHUNK = 256 << 10
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")


class OpenFile(Response):
    """A response from an open file. A request may ask for one range of bytes.

    descriptor: of a regular file; it is closed after sending.
    """

    def __init__(self, descriptor: int, headers: dict[str, str], media_type: str) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self._size = found.st_size
        self._tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        more = {"Accept-Ranges": "bytes", "ETag": self._tag, "Content-Length": str(found.st_size)}
        super().__init__(None, 200, {**headers, **more}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        try:
            at, end = self._asked(Headers(scope=scope))
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            while at < end and scope["method"] != "HEAD":
                chunk = await run_in_threadpool(os.pread, self._descriptor, min(_CHUNK, end - at), at)
                if not chunk:
                    raise OSError(0, "the file became shorter")
                at += len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            os.close(self._descriptor)

    def _asked(self, headers: Headers) -> tuple[int, int]:
        """First byte and end of the range to send; the whole file if the request has no range that this can serve."""
        found = _RANGE.fullmatch(headers.get("range", ""))
        if not found or headers.get("if-range", self._tag) != self._tag:
            return 0, self._size
        first = int(found[1])
        end = min(int(found[2]) + 1, self._size) if found[2] else self._size
        if first >= self._size:
            self.status_code = 416
            self.headers["Content-Range"] = f"bytes */{self._size}"
            self.headers["Content-Length"] = "0"
            return 0, 0
        if end <= first:
            return 0, self._size
        self.status_code = 206
        self.headers["Content-Range"] = f"bytes {first}-{end - 1}/{self._size}"
        self.headers["Content-Length"] = str(end - first)
        return first, end
