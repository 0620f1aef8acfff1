"""When exported values are valid: whole days from that of their source, unless settings say otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.errors import UsageError
from catalog.export.exported import Export
from catalog.export.settings import DAY, Settings
from catalog.export.validity import MOST_DAYS, valid_from, valid_until
from catalog.imports.dates import utc
from tests.support.exports import export_of

LAST_DAY = 253_402_300_800 - DAY
"""9999-12-31."""


def of(*, time: int = 0, begin: int | None = None, days: int | None = None) -> Export:
    export = export_of(settings=Settings(valid_from=begin, days=days))
    return replace(export, source=replace(export.source, time=time))


def test_without_settings_validity_begins_with_the_day_of_the_source_and_lasts_a_year() -> None:
    export = of(time=1_795_823_999)
    assert (utc(valid_from(export)), utc(valid_until(export))) == ("2026-11-27T00:00:00Z", "2027-11-27T00:00:00Z")


def test_settings_say_when_validity_begins_and_for_how_many_days_it_lasts() -> None:
    export = of(time=5 * DAY, begin=3 * DAY, days=2)
    assert (valid_from(export), valid_until(export)) == (3 * DAY, 5 * DAY)
    assert valid_until(of(days=MOST_DAYS)) == MOST_DAYS * DAY
    assert utc(valid_until(of(begin=LAST_DAY - DAY, days=1))) == "9999-12-31T00:00:00Z"


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_other_numbers_of_days_are_refused(days: int) -> None:
    with pytest.raises(UsageError, match=f"for 1 to 3650 days, not {days}"):
        valid_until(of(days=days))


@pytest.mark.parametrize("begin", [-1, LAST_DAY + DAY, 1 << 64])
def test_validity_begins_in_the_years_1970_to_9999(begin: int) -> None:
    with pytest.raises(UsageError, match="outside the years 1970 to 9999"):
        valid_from(of(begin=begin))


def test_validity_ends_before_the_year_10000() -> None:
    with pytest.raises(UsageError, match="ends after the year 9999"):
        valid_until(of(begin=LAST_DAY, days=1))
