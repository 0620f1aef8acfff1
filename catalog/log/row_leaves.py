"""Rows of a catalog as leaves: canonical JSON, sorted by its bytes, with few leaves in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.rows.arrow import arrow_type
from catalog.rows.fields import DIGEST, RECORD, Field

_FIELDS = sorted(RECORD, key=lambda field: field.name)
_BY_NAME = {field.name: field for field in _FIELDS}
_DIGEST = DIGEST.name

COLUMNS = tuple(field.name for field in _FIELDS)
"""Columns of launch_digests.parquet that a leaf contains, in its order."""

_LEAF = "{" + "".join("%s" for name in COLUMNS if name < "type") + '"type":"digest"'
_LEAF += "".join("%s" for name in COLUMNS if name > "type") + "}"

_AT_ONCE = 1 << 14
"""Rows: how many are written as text at a time."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in which every value but the digest is replaced by a number. Sorted, they are in the order of their leaves.

    table: a digest and the numbers, one row each.
    texts: by column the text of each number in a leaf; the numbers are in the order of the texts.
    """

    table: pa.Table
    texts: Mapping[str, list[str]]

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> Rows:
        """From tables with the COLUMNS of launch_digests.parquet. Raises KeyError, ArrowException for other tables."""
        known: dict[str, dict[Any, int]] = {name: {None: 0} for name in COLUMNS if name != _DIGEST}
        kinds = {field.name: pa.large_binary() if field is DIGEST else arrow_type(field) for field in _FIELDS}
        schema = pa.schema([(name, kinds[name] if name == _DIGEST else pa.int32()) for name in COLUMNS])
        parts = [schema.empty_table()]
        for table in tables:
            columns = [table[name].cast(kind) for name, kind in kinds.items()]
            numbers = [
                column if name == _DIGEST else _numbered(column, known[name])
                for name, column in zip(COLUMNS, columns, strict=True)
            ]
            parts.append(pa.table(numbers, schema=schema))
        whole = pa.concat_tables(parts).combine_chunks()
        texts = {}
        for name, numbers_of in known.items():
            written = [_written(_BY_NAME[name], value) for value in numbers_of]
            order = sorted(range(len(written)), key=lambda number: _rank(written[number]))
            texts[name] = [written[number] for number in order]
            ranks = pa.array(sorted(range(len(order)), key=order.__getitem__), pa.int32())
            at = COLUMNS.index(name)
            whole = whole.set_column(at, name, pc.take(ranks, whole[name]))
        return cls(whole, texts)

    def __len__(self) -> int:
        return len(self.table)

    def sorted(self) -> Rows:
        """The rows in the order of their leaves, without duplicates."""
        order = pc.sort_indices(self.table, sort_keys=[(name, "ascending") for name in COLUMNS])
        table = self.table.take(order).combine_chunks()
        if not len(table):
            return self
        rest, before = table.slice(1), table.slice(0, len(table) - 1)
        differ = (pc.not_equal(rest[name], before[name]) for name in COLUMNS)
        first = pa.chunked_array([pa.array([True]), *reduce(pc.or_, differ).chunks])
        return replace(self, table=table.filter(first))

    def filter(self, kept: pa.BooleanArray) -> Rows:
        """The rows for which `kept` is true."""
        return replace(self, table=self.table.filter(kept))

    def leaves(self) -> Iterator[bytes]:
        """Yield the leaf of each row, with the same bytes as `encode_leaf`."""
        for batch in self.table.to_batches(max_chunksize=_AT_ONCE):
            columns = []
            for name, column in zip(COLUMNS, batch.columns, strict=True):
                values = column.to_pylist()
                columns.append(
                    map(_digest_text, values) if name == _DIGEST else map(self.texts[name].__getitem__, values)
                )
            for row in zip(*columns, strict=True):
                yield (_LEAF % row).encode("ascii")


def row_leaves(rows: pa.Table) -> list[bytes]:
    """The leaves of rows of launch_digests.parquet, in their order."""
    return list(Rows.of([rows]).leaves())


def _written(field: Field, value: Any) -> str:
    """The text of a field in a leaf, with the comma towards the type; empty for an optional field that is null."""
    if value is None and field.optional:
        return ""
    text = f'"{field.name}":{json.dumps(field.text(value))}'
    return f"{text}," if field.name < "type" else f",{text}"


def _digest_text(digest: bytes) -> str:
    return f'"{_DIGEST}":"{digest.hex()}",'


def _rank(written: str) -> tuple[bool, str]:
    """Sort key of a field's text: a comma follows it, and a leaf without the field has a later key in its place."""
    return not written, written + ","


def _numbered(column: pa.ChunkedArray, known: dict[Any, int]) -> pa.Array:
    """Replace values by their numbers; a new value gets the next number. known: the numbers, extended here."""
    encoded = column.combine_chunks().dictionary_encode()
    numbers = pa.array([known.setdefault(value, len(known)) for value in encoded.dictionary.to_pylist()], pa.int32())
    return pc.fill_null(pc.take(numbers, encoded.indices), 0)
