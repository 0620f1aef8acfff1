"""Memory of the service: what a burst of requests used is returned to the system.

Three allocators keep freed memory: malloc of the C library, in an arena for each thread; Python, in reference cycles
that it collects only while objects are made, so never while the service is idle; and jemalloc in Granian.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from collections.abc import Callable

SECONDS = 20
"""Seconds between two rounds while there are requests."""

_M_ARENA_MAX = -8
_JEMALLOC = "_RJEM_MALLOC_CONF"


def keep_little() -> None:
    """Use one malloc arena, and a jemalloc thread that returns memory. Call it before Granian is loaded.

    Source: mallopt(3), jemalloc(3).
    """
    os.environ.setdefault(_JEMALLOC, "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0")
    _called("mallopt", _M_ARENA_MAX, 1)


async def give_back(requests: Callable[[], int], rest: Callable[[], None]) -> None:
    """Return freed memory to the system while there are requests, and once after.

    requests: their number so far. rest: called once there were none for a while, to drop what only speeds up many.
    """
    seen, before = 0, False
    while True:
        await asyncio.sleep(SECONDS)
        there_were = requests() != seen
        if there_were or before:
            if not there_were:
                rest()
            gc.collect()
            _called("malloc_trim", 0)
        seen, before = requests(), there_were


def _called(name: str, *arguments: int) -> None:
    """Call a function of the C library, if it has one of this name."""
    if os.name == "posix" and (function := getattr(ctypes.CDLL(None), name, None)):
        function(*arguments)
