"""Durations, as people write and read them: the age of a checkpoint, and how old a proof may be."""

from __future__ import annotations

from catalog.errors import UsageError
from catalog.transparency.encoding import is_digits

DAY = 86400
"""Seconds."""

_UNITS = (("day", DAY), ("hour", 3600), ("minute", 60), ("second", 1))
_MOST_DIGITS = 9


def span(seconds: int) -> str:
    """A time span for people, in the largest unit of which there are at least two."""
    unit, size = next((pair for pair in _UNITS if abs(seconds) >= 2 * pair[1]), _UNITS[-1])
    count = abs(seconds) // size
    return f"{count} {unit}{'' if count == 1 else 's'}"


def parse_duration(text: str) -> int:
    """Seconds, from a number and a unit: 2d, 12h, 90m or 600s. Raises UsageError."""
    count, sizes = text[:-1], [size for unit, size in _UNITS if unit[0] == text[-1:]]
    if not sizes or not is_digits(count, _MOST_DIGITS) or count[0] == "0":
        raise UsageError(f"{text[:40]!r} is not a duration", "write a number and d, h, m or s, such as 2d or 12h")
    return int(count) * sizes[0]
