"""Combinations of values that occur in the rows of a table, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_MOST = 1 << 62
"""Numbers of combinations: they are made smaller above this. A column has fewer than 2**31 values."""


def combinations(columns: Sequence[pa.Array]) -> tuple[pa.Int32Array, pa.Int32Array]:
    """For each row the number of its combination of values, and for each combination its first row; null is a value.

    Combinations are numbered in the order of their first rows. columns: of equal length, one or more.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers, width = pa.repeat(pa.scalar(0, pa.int64()), len(columns[0])), 1
    for column in columns:
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        values = len(encoded.dictionary) + 1
        if width * values > _MOST:
            numbers, width = numbers.dictionary_encode().indices.cast(pa.int64()), len(columns[0])
        numbers, width = pc.add(pc.multiply(numbers, values), _numbered(encoded)), width * values
    coded = numbers.dictionary_encode()
    return coded.indices, pc.index_in(coded.dictionary, value_set=numbers)


def _numbered(encoded: pa.DictionaryArray) -> pa.Int64Array:
    """A number for each value of a column, 0 for null; equal values of the dictionary have one number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    listed = encoded.dictionary
    first = pc.add(pc.index_in(listed, value_set=listed), 1).cast(pa.int64())
    is_null = pc.is_null(listed)
    return pc.fill_null(pc.if_else(is_null, 0, first).take(encoded.indices), 0)
