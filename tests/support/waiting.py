"""Waiting for another process or thread until it has done something, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 60
"""Timeout after which a test fails; no test waits for it to pass."""

_PAUSE = 0.005


def until(happened: Callable[[], object]) -> None:
    """Check repeatedly; fails if it never happens."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(_PAUSE)
