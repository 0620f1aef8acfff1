"""The progress of a search: the share that is done never decreases, and never exceeds 1."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.terminal.search_progress import expected_total, search_progress

STEPS = st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 10)), max_size=30)


@given(st.integers(1, 20_000), st.floats(0.01, 100), STEPS)
def test_the_share_never_decreases(total: int, seconds: float, steps: list[tuple[int, float]]) -> None:
    tried, elapsed, before = 0, 0.0, 0.0
    for count, took in steps:
        tried, elapsed = min(total, tried + count), elapsed + took
        shown = expected_total(tried, total, elapsed, seconds)
        assert tried <= shown <= total
        share = tried / shown if shown else 0
        assert before <= share + 1 / max(shown, 1)  # totals are whole numbers
        before = share


def test_all_is_expected_of_a_fast_search_and_a_part_of_a_slow_one() -> None:
    assert expected_total(0, 1000, 0.0, 20) == 1000
    assert expected_total(500, 1000, 1.0, 20) == 1000
    assert expected_total(100, 1000, 10.0, 20) == 200
    assert expected_total(100, 1000, 30.0, 20) == 100


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("quiet", "terminal"), [(False, True), (True, True), (False, False)])
def test_the_stage_is_shown_in_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, *, quiet: bool, terminal: bool
) -> None:
    shown = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    with search_progress(20, quiet=quiet) as begin:
        advance = begin(1000)
        advance("expectation: vcpus and firmware", 400)
        advance("expectation: usual mistakes together", 600)
    text = shown.getvalue()
    assert ("expectation: usual mistakes together" in text) == (terminal and not quiet)
    assert ("1,000 of 1,000, 0 of 20 s" in text) == (terminal and not quiet)
    assert bool(text) == (terminal and not quiet)
