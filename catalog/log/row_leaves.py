"""Rows of a catalog as packed rows, and as leaves."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.packed_rows import pack_rows, row_bits, write_leaves
from catalog.log.leaves.row_text import LARGEST, NONE
from catalog.rows.arrow import arrow_type
from catalog.rows.fields import BY_NAME, DIGEST, RECORD, Field

_FIELDS = sorted(RECORD, key=lambda field: field.name)
_VCPUS = BY_NAME["vcpus"]
_SHARED = [field for field in _FIELDS if field not in (DIGEST, _VCPUS)]
"""The fields of which a group has one value."""

COLUMNS = tuple(field.name for field in _FIELDS)
"""Columns of launch_digests.parquet that a leaf contains, in its order."""

ENCODED = tuple(field.name for field in _SHARED if field.kind.arrow in ("string", "binary"))
"""Those that are packed faster if they are dictionary-encoded."""

_MOST_CODES = 1 << 62


class RowPacker:
    """Packs rows of a catalog. groups: those of the rows, to which new ones are added."""

    def __init__(self, groups: LeafGroups) -> None:
        self._groups = groups
        self._numbers: list[dict[Any, int]] = [{None: 0} for _ in _SHARED]
        self._texts = [[_written(field, None)] for field in _SHARED]
        self._sizes: list[int] = []
        self._known: dict[int, int] = {}

    def pack(self, tables: Iterable[pa.Table]) -> Iterator[bytearray]:
        """Yield the rows of each table. Raises KeyError, ArrowException for a table without the COLUMNS."""
        for table in tables:
            columns = [_column(table, field) for field in _SHARED]
            vcpus = pc.fill_null(_column(table, _VCPUS).cast(pa.int32()), NONE)
            digests = table[DIGEST.name].combine_chunks()
            if not pa.types.is_fixed_size_binary(digests.type) or digests.type.byte_width > LARGEST:
                raise pa.ArrowTypeError(f"launch digests have at most {LARGEST} bytes, and one size")
            if len(table):
                groups, numbers = self._grouped(columns)
                size = digests.type.byte_width
                bits = array("I", [row_bits(size, known=False)] * len(numbers))
                yield pack_rows(_memory(digests, size), _array("i", vcpus), groups, numbers, bits)

    def _grouped(self, columns: list[pa.Array]) -> tuple[array[int], array[int]]:
        """For each row a number below, and for each such number that of the group."""
        values = [self._numbered(at, column) for at, column in enumerate(columns)]
        sizes = [len(numbers) for numbers in self._numbers]
        if sizes != self._sizes:
            self._sizes, self._known = sizes, {}
        most = 1
        for size in sizes:
            most *= size
        if most > _MOST_CODES:  # more combinations than one number can tell apart
            rows = zip(*(column.to_pylist() for column in values), strict=True)
            numbers = array("I", map(self._group, rows))
            return array("I", range(len(numbers))), numbers
        codes = values[0].cast(pa.int64())
        for size, column in zip(sizes[1:], values[1:], strict=True):
            if size > 1:
                codes = pc.add(pc.multiply(codes, size), column.cast(pa.int64()))
        encoded = codes.dictionary_encode()
        numbers = array("I", map(self._group_of_code, encoded.dictionary.to_pylist()))
        return _array("I", encoded.indices), numbers

    def _numbered(self, at: int, column: pa.Array) -> pa.Array:
        """Replace the values of a field by their numbers, 0 for null; a new one gets the next number."""
        known, texts, encoded = self._numbers[at], self._texts[at], column.dictionary_encode()
        found = encoded.dictionary.to_pylist()
        for value in found:
            if value not in known:
                known[value] = len(known)
                texts.append(_written(_SHARED[at], value))
        numbers = pa.array([known[value] for value in found], pa.int32())
        return pc.fill_null(pc.take(numbers, encoded.indices), 0)

    def _group_of_code(self, code: int) -> int:
        """The group of a row, from the numbers of its values as digits."""
        if code in self._known:
            return self._known[code]
        left, numbers = code, []
        for size in self._sizes[:0:-1]:
            left, number = divmod(left, size)
            numbers.append(number)
        return self._known.setdefault(code, self._group((left, *numbers[::-1])))

    def _group(self, numbers: tuple[int, ...]) -> int:
        """The group of a row. numbers: of its values."""
        texts = [(field.name, texts[at]) for field, texts, at in zip(_SHARED, self._texts, numbers, strict=True)]
        before = "".join(text for name, text in texts if name < DIGEST.name)
        middle = "".join(text for name, text in texts if DIGEST.name < name < "type")
        more = "".join(text for name, text in texts if "type" < name < _VCPUS.name)
        after = "".join(text for name, text in texts if name > _VCPUS.name)
        rest = f'{{{before}"{DIGEST.name}":"', f'",{middle}"type":"digest"{more},"{_VCPUS.name}":', f"{after}}}"
        return self._groups.number((rest[0].encode("ascii"), rest[1].encode("ascii"), rest[2].encode("ascii")))


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
    if pa.types.is_dictionary(column.type) and column.type.value_type == kind:
        return column.combine_chunks()
    return column.cast(kind).combine_chunks()


def _memory(column: pa.Array, size: int) -> memoryview:
    """The values of a column without nulls. size: bytes of each."""
    return memoryview(column.buffers()[1]).cast("B")[column.offset * size : (column.offset + len(column)) * size]


def _array(kind: str, column: pa.Array) -> array[int]:
    """The same of a column of 32-bit numbers."""
    made = array(kind)
    made.frombytes(_memory(column, made.itemsize))
    return made
