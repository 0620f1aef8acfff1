"""Lines of text on a terminal: how wide it is, and digests that stay whole."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEX = frozenset("0123456789abcdef")
_LEAST = 20
"""Columns; on a narrower terminal lines are left as they are."""


def terminal_width() -> int | None:
    """The width of the terminal that stdout is, in columns: of COLUMNS, or as it says; None if it is none."""
    if not sys.stdout.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    try:
        width = int(said) if said.isascii() and said.isdigit() else os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return None
    return width if width >= _LEAST else None


def fitted(line: str, width: int) -> Iterator[str]:
    """A line of an answer; if it is too wide because of a digest at its end, the digest is on a line of its own.

    So a terminal does not break it, unless it is wider than all of it. Any other line is left to the terminal: a line
    break of ours before words from outside could make them look like a line of ldcat.
    """
    head, _, value = line.rpartition(" ")
    is_left = len(line) <= width or len(value) > width - 2
    if is_left or not value or not _HEX.issuperset(value) or not head.strip(" "):
        yield line
        return
    yield head.rstrip(" ")
    yield " " * (min(len(head) + 1, width - len(value))) + value
