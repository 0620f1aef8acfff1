"""Dates and times as text."""

import pytest

from catalog.errors import UsageError
from catalog.imports.dates import day, parse_time, utc


def test_a_day_and_a_time_in_utc() -> None:
    assert (day(1_682_000_000), utc(1_682_000_000)) == ("2023-04-20", "2023-04-20T14:13:20Z")
    assert (utc(0), utc(253_402_300_799)) == ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    assert day(1 << 70) == f"{1 << 70} seconds after 1970"


def test_a_day_or_a_time_is_read() -> None:
    assert parse_time("2023-04-20") == 1_681_948_800
    assert parse_time(utc(1_682_000_000)) == 1_682_000_000
    for text in ("", "2023-02-30", "2023-04-20T14:13:20", "2023-04-20T14:13:20+00:00", "20230420", "\u0662023-04-20"):
        with pytest.raises(UsageError, match="is not a day such as 2026-11-28"):
            parse_time(text)
