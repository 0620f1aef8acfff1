"""Combinations of values are numbered alike by compiled code and in Python."""

from __future__ import annotations

from array import array
from random import Random

import pytest
from hypothesis import given

from catalog.log.leaves import leaf_code
from catalog.log.leaves import row_combinations as module
from catalog.log.leaves.row_combinations import Column, combinations
from tests.support.strategies import seeded


def columns(random: Random) -> tuple[list[Column], int]:
    """Columns of few different values, and how many rows they have."""
    count, made = random.randint(1, 60), []
    for _ in range(random.randint(0, 4)):
        width, offset = random.choice([1, 2, 4, 8]), random.randint(0, 9)
        few = [random.choice([bytes(width), random.randbytes(width)]) for _ in range(random.randint(1, 3))]
        values = b"".join(random.choices(few, k=offset + count))
        valid = random.choice([None, random.randbytes((offset + count + 7) // 8)])
        made.append(Column(values, valid, offset, width))
    return made, count


@given(seeded(columns))
def test_compiled_code_numbers_combinations_as_python_does(given: tuple[list[Column], int]) -> None:
    made, count = given
    expected = module._one_by_one(made, count)
    assert combinations(made, count) == expected
    numbers, firsts = expected
    assert [numbers[at] for at in firsts] == list(range(len(firsts)))
    if leaf_code.lib:
        assert module._compiled(made, count) == expected


@pytest.mark.parametrize(
    "column",
    [
        Column(bytes(39), None, 0, 4),
        Column(bytes(40), None, 1, 4),
        Column(bytes(40), bytes(1), 0, 4),
        Column(bytes(40), bytes(2), 7, 4),
        Column(bytes(160), None, 0, 16),
        Column(bytes(160), None, 0, 0),
    ],
)
def test_a_column_has_all_rows(column: Column) -> None:
    with pytest.raises(ValueError, match="different lengths"):
        combinations([column], 10)


def test_rows_whose_hashes_collide_are_numbered_in_python() -> None:
    """The lower bits of these products are all zero, so that the values share a slot."""
    if leaf_code.lib is None:
        pytest.skip("there is no compiled code")
    inverse, rows = pow(0x9E3779B97F4A7C15, -1, 1 << 64), 4000
    values = array("Q", ((number << 50) * inverse % (1 << 64) for number in range(rows)))
    column = Column(memoryview(values).cast("B"), None, 0, 8)
    assert module._compiled([column], rows) is None
    assert combinations([column], rows) == (array("I", range(rows)), array("I", range(rows)))
