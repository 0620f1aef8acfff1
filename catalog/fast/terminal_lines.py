"""Lines of text on a terminal: how wide it is, and where lines are broken."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEX = frozenset("0123456789abcdef")
_LEAST = 20
"""Columns; on a narrower terminal lines are left as they are, and so are values with less room."""
_CONTINUED = 8
"""Columns: the least indent of a continued line. No line of an answer begins with more than 4 spaces."""


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
    """A line of an answer, broken between words into lines that fit the terminal; digests stay whole.

    Words from outside must not look like a line of ldcat, so what is continued is indented as far as the value that it
    belongs to, and deeper than any line begins; only a digest may be further left. A line with a command of ldcat is
    left to the terminal, from which it can then be copied, and so is a word that is too long for any line.
    """
    if len(line) <= width or width < _CONTINUED + _LEAST or " ldcat " in line or "/ldcat " in line:
        yield line
        return
    begin = _value_at(line, width)
    indent = max(begin, _CONTINUED)
    shown, between = line[:begin], ""
    for word in line[begin:].split(" "):
        longer = f"{shown}{between}{word}"
        between = " "
        if len(longer) <= width or not (beside := _indent_of(word, indent, width)):
            shown = longer
            continue
        if shown.strip(" "):
            yield shown.rstrip(" ")
        shown = " " * beside + word
    yield shown


def _value_at(line: str, width: int) -> int:
    """The column at which the value of a fact begins; that of the first word if the line is no fact."""
    first = len(line) - len(line.lstrip(" "))
    gap = line.find("  ", first)
    value = gap + len(line[gap:]) - len(line[gap:].lstrip(" "))
    return value if gap >= 0 and value <= width // 2 else first


def _indent_of(word: str, indent: int, width: int) -> int:
    """The columns to indent a word that begins a line; 0 if it is too long."""
    if len(word) <= width - indent:
        return indent
    return width - len(word) if len(word) <= width - 2 and _HEX.issuperset(word) else 0
