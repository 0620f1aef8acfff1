"""Bodies of requests: each bounded in size and time, and all of them together in what they hold."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from catalog.web.problems import Problem

BODY_SECONDS = 10
"""In which a request has to be there."""

MAX_HELD = 64 << 20
"""Bytes of all bodies that are being read."""


class Bodies:
    """Those that are being read."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, request: Request, at_most: int) -> bytes:
        """Raises Problem, after which the rest of the request is not read; ClientDisconnect."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    body += part
                    self._held += len(part)
                    if len(body) > at_most:
                        raise Problem(413, f"a request has at most {at_most:,} bytes", None, _CLOSE)
                    if self._held > MAX_HELD:
                        raise Problem(503, "others send much already", None, {**_CLOSE, "Retry-After": "10"})
        except TimeoutError as error:
            raise Problem(408, "the request did not come to its end in time", None, _CLOSE) from error
        finally:
            self._held -= len(body)
        return bytes(body)


_CLOSE = {"Connection": "close"}
