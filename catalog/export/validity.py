"""From when until when exported values are valid: on whole days unless a setting says otherwise, without a clock."""

from __future__ import annotations

from catalog.errors import UsageError
from catalog.export.exported import Export
from catalog.export.settings import DAY, DEFAULT_DAYS

MOST_DAYS = 3_650
_YEAR_10000 = 253_402_300_800
"""9999-12-31 is the last day that consumers read. Seconds since 1970."""


def valid_from(export: Export) -> int:
    """When validity begins, in seconds since 1970: the setting, or 00:00 UTC of the day that its source is of.

    Raises UsageError outside the years 1970 to 9999.
    """
    given, time = export.settings.valid_from, export.source.time
    begin = time - time % DAY if given is None else given
    if not 0 <= begin < _YEAR_10000:
        raise UsageError("validity begins outside the years 1970 to 9999", "give its first day: --valid-from")
    return begin


def valid_until(export: Export) -> int:
    """When validity ends, in seconds since 1970: so many days after it begins as the setting says, or DEFAULT_DAYS.

    Raises UsageError unless these are 1 to MOST_DAYS days, and end before the year 10000.
    """
    days = DEFAULT_DAYS if export.settings.days is None else export.settings.days
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"values can be valid for 1 to {MOST_DAYS} days, not {days}", "give another number: --days")
    end = valid_from(export) + days * DAY
    if end >= _YEAR_10000:
        raise UsageError("validity ends after the year 9999", "give fewer days: --days")
    return end
