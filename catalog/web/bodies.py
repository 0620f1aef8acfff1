"""Bodies of requests: each is bounded in size and time, and all together in memory."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from catalog.web.problems import Problem

BODY_SECONDS = 10
"""Seconds: time in which a whole body has to arrive."""

MAX_HELD = 64 << 20
"""Bytes: all bodies that are being read, together."""


class Bodies:
    """The bodies that are being read."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, request: Request, at_most: int) -> bytes:
        """The body of a request. at_most: bytes.

        Raises ClientDisconnect, or Problem for a body that is too large or too slow; the rest is not read then.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    body += part
                    self._held += len(part)
                    if len(body) > at_most:
                        raise Problem(413, f"the request has more than {at_most:,} bytes", None, _CLOSE)
                    if self._held > MAX_HELD:
                        raise Problem(503, "server busy: too many request bodies in flight", "try again", _BUSY)
        except TimeoutError as error:
            raise Problem(408, "the request did not arrive in time", None, _CLOSE) from error
        finally:
            self._held -= len(body)
        return bytes(body)


_CLOSE = {"Connection": "close"}
_BUSY = {**_CLOSE, "Retry-After": "10"}
