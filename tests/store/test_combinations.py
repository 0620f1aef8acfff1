"""Combinations of values: as a set of tuples has them."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from catalog.store import combinations as under_test
from catalog.store.combinations import combinations


@pytest.mark.parametrize("most", [1 << 62, 1])
@pytest.mark.parametrize("seed", range(20))
def test_as_tuples(monkeypatch: pytest.MonkeyPatch, seed: int, most: int) -> None:
    """most: 1 makes the numbers small again at each column."""
    monkeypatch.setattr(under_test, "_MOST", most)
    chosen, count = random.Random(seed), random.Random(seed).choice((1, 5, 100))
    values: list[list[Any]] = [
        [chosen.choice((None, b"a", b"b")) for _ in range(count)],
        [chosen.choice((None, 0, 7, (1 << 64) - 1)) for _ in range(count)],
        [chosen.choice((True, False)) for _ in range(count)],
        [None] * count,
        [chosen.choice(("x", "y", None)) for _ in range(count)],
    ]
    listed = pa.array(["x", None, "y", "x"])  # a dictionary may have a value twice, and null
    codes = [chosen.choice({"x": (0, 3), "y": (2,), None: (1, None)}[value]) for value in values[4]]
    columns = [pa.array(values[0], pa.binary()), pa.array(values[1], pa.uint64()), pa.array(values[2])]
    columns += [pa.nulls(count, pa.string()), pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), listed)]
    numbers, firsts = combinations(columns)
    expected: dict[tuple[Any, ...], int] = {}
    rows = list(zip(*values, strict=True))
    assert numbers.to_pylist() == [expected.setdefault(row, len(expected)) for row in rows]
    assert firsts.to_pylist() == [rows.index(row) for row in expected]


def test_of_no_rows() -> None:
    assert [len(each) for each in combinations([pa.array([], pa.string())])] == [0, 0]
