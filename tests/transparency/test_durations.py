"""Durations, as people write and read them."""

from __future__ import annotations

import pytest

from catalog.errors import UsageError
from catalog.transparency.durations import parse_duration, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (-119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (172800, "2 days"),
    ],
)
def test_time_spans(seconds: int, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("90m", 5400), ("12h", 43200), ("2d", 172800)])
def test_durations_are_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "d", "0d", "-1d", "1.5h", "2 d", "2D", "02d", "2w", "1d2h", "9" * 10 + "s"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)
