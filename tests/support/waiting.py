"""Waiting for what another process or thread does: until it is done, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 60
"""No test waits for these to pass: what never happens fails by them."""

_PAUSE = 0.005


def until(happened: Callable[[], object]) -> None:
    """Look again and again; fails if it never happens."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(_PAUSE)
