"""`make bench BASE=COMMIT`: the order of its samples, the ratio of each figure, and the verdict."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tools.bench.base import LIMIT, ROUNDS, Comparison, compared, table, verdict
from tools.bench.figures import Figure
from tools.bench.versions import Version

BASE = Version("1111111", Path("base/bin/python"), Path("base/made"))
HEAD = Version("2222222", Path("head/bin/python"), Path("head/made"))


def milliseconds(base: list[float], head: list[float], group: str = "lookup") -> Comparison:
    return Comparison("ldcat lookup", group, "ms", tuple(base), tuple(head))


def test_half_the_time_is_twice_the_speed() -> None:
    assert milliseconds([20, 20, 20], [10, 10, 10]).ratio == 2


def test_half_as_many_per_second_is_half_the_speed() -> None:
    assert Comparison("ldcat build", "build", "rows/s", (20, 20, 20), (10, 10, 10)).ratio == 0.5


def test_values_of_one_round_are_compared_with_each_other() -> None:
    """A machine that becomes slower from round to round does so for both versions."""
    found = milliseconds([10, 20, 40, 80, 160], [10, 20, 40, 80, 160])
    assert found.ratios == [1, 1, 1, 1, 1]


def test_one_disturbed_round_is_ignored() -> None:
    assert milliseconds([10, 10, 10, 10, 10], [10, 10, 900, 10, 10]).ratio == 1


@pytest.mark.parametrize("group", ["lookup", "build", "service", "other"])
def test_figures_below_the_limit_are_named(group: str) -> None:
    at_the_limit, below = milliseconds([LIMIT], [1], group), milliseconds([0.89], [1], group)
    assert not at_the_limit.too_slow
    assert below.too_slow
    assert verdict([at_the_limit, below]) == [f"SLOWER: {group}: ldcat lookup: 0.890, below 0.90"]


def test_what_is_the_same_for_both_versions_has_no_limit() -> None:
    slow = milliseconds([1], [10], "control")
    assert not slow.too_slow
    assert verdict([slow]) == ["No figure is below 0.90 of the base."]


def test_the_table_has_medians_ratio_and_spread() -> None:
    lines = table([milliseconds([10, 10, 12], [20, 5, 12])], BASE.name, HEAD.name)
    assert lines[0].startswith("| figure | unit | 1111111 | 2222222 | ratio |")
    assert lines[2] == "| ldcat lookup | ms | 10.0 | 12.0 | 1.00 | 0.50 to 2.00 |"


def test_the_versions_alternate_and_each_is_first_equally_often() -> None:
    taken: list[str] = []

    def sample(version: Version) -> float:
        taken.append(version.name)
        return 200 if version is BASE else 100

    (found,) = compared([Figure("ldcat lookup", "lookup", "ms", sample)], BASE, HEAD)
    assert found.ratios == [2] * ROUNDS
    pairs = list(zip(taken[::2], taken[1::2], strict=True))
    assert set(pairs) == {("1111111", "2222222"), ("2222222", "1111111")}
    measured = Counter(pairs[1:])  # the first pair is the warm-up
    assert abs(measured["1111111", "2222222"] - measured["2222222", "1111111"]) <= 1
    assert len(pairs) > 1 + ROUNDS, "a short command is run several times a round"


def test_every_figure_is_taken_in_a_round_before_the_next_round() -> None:
    taken: list[str] = []

    def figure(name: str) -> Figure:
        def sample(_: Version) -> float:
            taken.append(name)
            return 1

        return Figure(name, "build", "rows/s", sample)

    compared([figure("a"), figure("b")], BASE, HEAD)
    assert taken == ["a", "a", "b", "b"] * (1 + ROUNDS)
