"""Memory of a service: what an attack needed goes back to the system, and is not kept for the next one.

Three allocators keep what was freed: that of the C library, in an arena for each thread; Python, in cycles that it
looks for when much is made, and so never while nobody asks; jemalloc of Granian, when it is asked for more.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from collections.abc import Callable

SECONDS = 20
"""Between two looks, while there are requests."""

_M_ARENA_MAX = -8
_JEMALLOC = "_RJEM_MALLOC_CONF"


def keep_little() -> None:
    """To be called before Granian is loaded: one arena, and a thread of jemalloc that gives back.

    Source: mallopt(3), jemalloc(3).
    """
    os.environ.setdefault(_JEMALLOC, "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0")
    _called("mallopt", _M_ARENA_MAX, 1)


async def give_back(requests: Callable[[], int]) -> None:
    """Give back what was freed, while there are requests and once after them. requests: how many there were."""
    seen, before = 0, False
    while True:
        await asyncio.sleep(SECONDS)
        there_were = requests() != seen
        if there_were or before:
            gc.collect()
            _called("malloc_trim", 0)
        seen, before = requests(), there_were


def _called(name: str, *arguments: int) -> None:
    """A function of the C library, where it has it."""
    if os.name == "posix" and (function := getattr(ctypes.CDLL(None), name, None)):
        function(*arguments)
