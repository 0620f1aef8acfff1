"""Dates and times as text."""

from catalog.imports.dates import day, utc


def test_a_day_and_a_time_in_utc() -> None:
    assert (day(1_682_000_000), utc(1_682_000_000)) == ("2023-04-20", "2023-04-20T14:13:20Z")
    assert (utc(0), utc(253_402_300_799)) == ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    assert day(1 << 70) == f"{1 << 70} seconds after 1970"
