"""Dates and times as text, from seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime


def day(seconds: int) -> str:
    """The date of a time, such as 2023-04-20; the number of seconds if it is outside the calendar."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (OverflowError, OSError, ValueError):
        return f"{seconds} seconds after 1970"


def utc(seconds: int) -> str:
    """A time between 1970 and 9999 in RFC 3339, such as 2023-04-20T12:30:05Z."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
