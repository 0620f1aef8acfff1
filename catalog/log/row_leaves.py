"""Rows of a catalog as packed rows, and as leaves."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.packed_rows import pack_rows, row_bits, write_leaves
from catalog.log.leaves.row_combinations import Column, combinations
from catalog.log.leaves.row_text import LARGEST, NONE
from catalog.rows.arrow import arrow_type
from catalog.rows.fields import BY_NAME, DIGEST, RECORD, Field

_FIELDS = sorted(RECORD, key=lambda field: field.name)
_VCPUS = BY_NAME["vcpus"]
_SHARED = [field for field in _FIELDS if field not in (DIGEST, _VCPUS)]
"""The fields of which a group has one value."""

_IS_BIG_ENDIAN = struct.pack("=H", 1) == b"\0\1"

COLUMNS = tuple(field.name for field in _FIELDS)
"""Columns of launch_digests.parquet that a leaf contains, in its order."""

ENCODED = tuple(field.name for field in _SHARED if field.kind.arrow in ("string", "binary"))
"""Those that are packed faster if they are dictionary-encoded."""


class RowPacker:
    """Packs rows of a catalog. groups: those of the rows, to which new ones are added."""

    def __init__(self, groups: LeafGroups) -> None:
        self._groups = groups
        self._known: dict[tuple[Any, ...], int] = {}

    def pack(self, tables: Iterable[pa.Table]) -> Iterator[bytearray]:
        """Yield the rows of each table. Raises KeyError, ArrowException for a table without the COLUMNS."""
        for table in tables:
            shared = [_column(table, field) for field in _SHARED]
            vcpus = vcpu_counts(table)
            digests = table[DIGEST.name].combine_chunks()
            if not pa.types.is_fixed_size_binary(digests.type) or digests.type.byte_width > LARGEST:
                raise pa.ArrowTypeError(f"launch digests have at most {LARGEST} bytes, and one size")
            if len(table):
                groups, firsts = combinations([_codes(column) for column in shared if _has_values(column)], len(table))
                values = [_values(column, firsts) for column in shared]
                numbers = array("I", map(self._group, zip(*values, strict=True)))
                size = digests.type.byte_width
                bits = array("I", [row_bits(size, known=False)] * len(numbers))
                yield pack_rows(_memory(digests, size), vcpus, groups, numbers, bits)

    def _group(self, values: tuple[Any, ...]) -> int:
        """The group of the rows that have these values in _SHARED."""
        if values not in self._known:
            texts = [(field.name, _written(field, value)) for field, value in zip(_SHARED, values, strict=True)]
            before = "".join(text for name, text in texts if name < DIGEST.name)
            middle = "".join(text for name, text in texts if DIGEST.name < name < "type")
            more = "".join(text for name, text in texts if "type" < name < _VCPUS.name)
            after = "".join(text for name, text in texts if name > _VCPUS.name)
            rest = f'{{{before}"{DIGEST.name}":"', f'",{middle}"type":"digest"{more},"{_VCPUS.name}":', f"{after}}}"
            number = self._groups.number((rest[0].encode("ascii"), rest[1].encode("ascii"), rest[2].encode("ascii")))
            self._known[values] = number
        return self._known[values]


def vcpu_counts(table: pa.Table) -> array[int]:
    """The vCPU counts of a table as signed numbers of 32 bits, or NONE. Raises KeyError, ArrowException."""
    column = _column(table, _VCPUS)
    if not len(column) or column.null_count or pa.types.is_dictionary(column.type) or _IS_BIG_ENDIAN:
        return array("i", [NONE if count is None else count for count in column.to_pylist()])
    half, whole = bytes(_memory(column, column.type.bit_width // 8)), bytearray(4 * len(column))
    whole[::4], whole[1::4] = half[::2], half[1::2]  # ten times as fast as number by number
    return array("i", bytes(whole))


def row_leaves(rows: pa.Table) -> list[bytes]:
    """The leaves of rows of launch_digests.parquet, in their order."""
    groups = LeafGroups()
    return [bytes(leaf) for packed in RowPacker(groups).pack([rows]) for leaf in write_leaves(groups, packed)]


def _written(field: Field, value: Any) -> str:
    """The text of a field in a leaf, with the comma towards the type; empty for an optional field that is null."""
    if value is None and field.optional:
        return ""
    text = f'"{field.name}":{json.dumps(field.text(value))}'
    return f"{text}," if field.name < "type" else f",{text}"


def _column(table: pa.Table, field: Field) -> pa.Array:
    """A column with the type of its field, or dictionary-encoded. Raises KeyError, ArrowException."""
    column, kind = table[field.name], arrow_type(field)
    value = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return (column if value == kind else column.cast(kind)).combine_chunks()


def _values(column: pa.Array, rows: Iterable[int]) -> list[Any]:
    """The values of some rows."""
    if not pa.types.is_dictionary(column.type):
        return [column[row].as_py() for row in rows]
    known, codes = column.dictionary.to_pylist(), column.indices
    return [None if code is None else known[code] for code in (codes[row].as_py() for row in rows)]


def _has_values(column: pa.Array) -> bool:
    return bool(column.null_count < len(column))


def _codes(column: pa.Array) -> Column:
    """A column in which equal numbers stand for equal values: the numbers themselves, or those of a dictionary."""
    if pa.types.is_dictionary(column.type):
        column = column.indices
    elif not pa.types.is_integer(column.type):
        column = column.dictionary_encode().indices
    valid, values = column.buffers()
    return Column(
        memoryview(values), None if valid is None else memoryview(valid), column.offset, column.type.bit_width // 8
    )


def _memory(column: pa.Array, size: int) -> memoryview:
    """The values of a column without nulls. size: bytes of each."""
    return memoryview(column.buffers()[1]).cast("B")[column.offset * size : (column.offset + len(column)) * size]
