"""Rows of a table of launch digests as a RowPiece, to be recomputed sweep by sweep."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from catalog.audit.recompute import GROUPED
from catalog.audit.row_pieces import RowPiece
from catalog.log.leaves.leaf_block import RowGroup
from catalog.log.leaves.row_text import LARGEST, NONE
from catalog.log.records import parse_row
from catalog.log.row_leaves import row_leaves
from catalog.rows.fields import DIGEST
from catalog.store.combinations import combinations


def table_piece(rows: pa.Table) -> RowPiece:
    """The rows, 1 or more, by group. Raises MalformedRecord for a row that no leaf can have."""
    groups, firsts = combinations([rows[name].combine_chunks() for name in GROUPED])
    digests = rows[DIGEST.name].combine_chunks()
    size = digests.type.byte_width
    records = map(parse_row, row_leaves(rows.take(firsts)))
    table = [RowGroup(record, record.technology, size) for record in records]
    vcpus = pc.fill_null(rows["vcpus"].combine_chunks().cast(pa.int32()), NONE)
    return RowPiece(table, _padded(digests, size), _memory(vcpus).cast("i"), _memory(groups).cast("I"))


def _padded(digests: pa.FixedSizeBinaryArray, size: int) -> memoryview:
    """The digests with zeros behind, LARGEST bytes each."""
    packed = _memory(digests)
    if size == LARGEST:
        return packed
    padded = bytearray(LARGEST * len(digests))
    for place in range(size):
        padded[place::LARGEST] = packed[place::size]
    return memoryview(padded)


def _memory(column: pa.Array) -> memoryview:
    """The values of a column without nulls, which all have the same number of bytes."""
    width = column.type.byte_width
    return memoryview(column.buffers()[1]).cast("B")[column.offset * width : (column.offset + len(column)) * width]
