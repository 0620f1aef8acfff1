"""Notices while a catalog is opened: verification itself prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

Fetching = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Shows how a file is fetched: called with its size in bytes; what it yields is called with the bytes of each chunk."""


def not_shown(size: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show no progress."""
    del size
    return nullcontext(lambda _: None)


def _not_told(text: str) -> None:
    del text


@dataclass(frozen=True, slots=True)
class Notices:
    """Receivers of notices.

    warn: called with what the user has to know.
    note: called with what was verified.
    fetching: shows how files are fetched.
    """

    warn: Callable[[str], None]
    note: Callable[[str], None] = _not_told
    fetching: Fetching = not_shown
