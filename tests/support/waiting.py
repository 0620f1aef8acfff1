"""Waiting for another process or thread until it has done something, however slow the machine is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor

SECONDS = 60
"""Timeout after which a test fails; no test waits for it to pass."""

_PAUSE = 0.005


def until(happened: Callable[[], object]) -> None:
    """Check repeatedly; fails if it never happens."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(_PAUSE)


def finished(work: Coroutine[object, object, None]) -> None:
    """Run it to its end in another thread: in this one the event loop of a browser may be running."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
