"""Dates and times as text, from seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from catalog.errors import UsageError

_DAY_OR_TIME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?")


def day(seconds: int) -> str:
    """The date of a time, such as 2023-04-20; the number of seconds if it is outside the calendar."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (OverflowError, OSError, ValueError):
        return f"{seconds} seconds after 1970"


def utc(seconds: int) -> str:
    """A time between 1970 and 9999 in RFC 3339, such as 2023-04-20T12:30:05Z."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> int:
    """Seconds since 1970 from a day such as 2026-11-28, or a time in UTC in RFC 3339. Raises UsageError."""
    try:
        if _DAY_OR_TIME.fullmatch(text):
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:
        pass
    raise UsageError(f"{text[:80]!r} is not a day such as 2026-11-28, or a time such as 2026-11-28T12:00:00Z")
