"""Numbers the combinations of values that rows have, by compiled code or in Python."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from catalog.log.leaves import leaf_code

_MOST = 64
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""Kinds of numbers by their bytes, as array names them."""

Memory = bytes | bytearray | memoryview


class Column(NamedTuple):
    """A column in the memory layout of Arrow.

    values: of `width` bytes each: 1, 2, 4 or 8.
    valid: a bit for each value, the first one the lowest of the first byte, clear where it is null; None if none is.
    offset: number of the first value.
    """

    values: Memory
    valid: Memory | None
    offset: int
    width: int

    def has(self, count: int) -> bool:
        """Whether there are so many values."""
        end = self.offset + count
        bits = end if self.valid is None else 8 * len(self.valid)
        return self.width in _CODES and self.width * end <= len(self.values) and end <= bits

    def read(self, count: int) -> list[int | None]:
        """So many values."""
        first, end = self.offset, self.offset + count
        values: array[int] = array(_CODES[self.width])
        values.frombytes(memoryview(self.values).cast("B")[self.width * first : self.width * end])
        if self.valid is None:
            return [*values]
        valid = self.valid
        return [value if valid[at // 8] >> at % 8 & 1 else None for at, value in enumerate(values, first)]


def combinations(columns: Sequence[Column], count: int) -> tuple[array[int], array[int]]:
    """The number of the combination of each of `count` rows, in the order in which they come; and its first row.

    columns: at most 64. Raises ValueError for more, and for a column that has fewer values, MemoryError.
    """
    if len(columns) > _MOST or not all(column.has(count) for column in columns):
        raise ValueError("columns of rows have different lengths")
    made = _compiled(columns, count) if leaf_code.lib else None
    return made or _one_by_one(columns, count)


def _one_by_one(columns: Sequence[Column], count: int) -> tuple[array[int], array[int]]:
    rows = zip(*(column.read(count) for column in columns), strict=True) if columns else ((),) * count
    found: dict[tuple[int | None, ...], int] = {}
    numbers = array("I", (found.setdefault(row, len(found)) for row in rows))
    firsts: list[int] = []
    for at, number in enumerate(numbers):
        if number == len(firsts):
            firsts.append(at)
    return numbers, array("I", firsts)


def _compiled(columns: Sequence[Column], count: int) -> tuple[array[int], array[int]] | None:
    """None for rows that are chosen so that they take long."""
    ffi = leaf_code.ffi
    kept = [(ffi.from_buffer("uint8_t[]", each.values), _bits(each.valid), each.offset, each.width) for each in columns]
    numbers, firsts = array("I", bytes(4 * count)), array("I", bytes(4 * count))
    memory = leaf_code.words(numbers), leaf_code.words(firsts)
    made = leaf_code.lib.ldcat_combinations(ffi.new("struct ldcat_column[]", kept), len(kept), count, *memory)
    if made == leaf_code.FAILED:
        raise MemoryError
    return (numbers, firsts[:made]) if made else None


def _bits(valid: Memory | None) -> object:
    return leaf_code.ffi.NULL if valid is None else leaf_code.ffi.from_buffer("uint8_t[]", valid)
