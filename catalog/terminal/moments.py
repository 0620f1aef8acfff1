"""Times for people."""

from __future__ import annotations

from time import gmtime, strftime


def moment(seconds: int) -> str:
    """A time for people, from seconds since 1970; the number of seconds if it is outside the calendar."""
    try:
        found = gmtime(seconds)
    except (OverflowError, OSError, ValueError):
        found = None
    if found is None or not 1 <= found.tm_year <= 9999:
        return f"{seconds} seconds after 1970"
    return strftime("%Y-%m-%d %H:%M:%S UTC", found)
