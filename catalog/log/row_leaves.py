"""Rows of a catalog as leaves: canonical JSON, sorted by its bytes, few of them in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_Write = Callable[[Any], str]
_DIGEST = "launch_digest"

_WRITTEN: Mapping[str, tuple[pa.DataType, _Write]] = {
    "firmware_sha256": (pa.binary(), lambda value: f'"{value.hex()}"'),
    "kernel_hashes_sha256": (pa.binary(), lambda value: f'"{value.hex()}"'),
    _DIGEST: (pa.large_binary(), bytes.hex),
    "sev_features": (pa.uint64(), lambda value: f'"{value:#x}"'),
    "technology": (pa.string(), json.dumps),
    "vcpu_signature": (pa.uint32(), lambda value: f'"{value:#010x}"'),
    "vcpus": (pa.uint16(), str),
    "vmm": (pa.string(), json.dumps),
}
"""Columns in the order in which they stand in a leaf, and how; null is null."""

COLUMNS = tuple(_WRITTEN)
"""Of launch_digests.parquet, as many as are in a leaf."""

_LEAF = (
    '{"firmware_sha256":%s,"kernel_hashes_sha256":%s,"launch_digest":"%s","sev_features":%s,"technology":%s,'
    '"type":"digest","vcpu_signature":%s,"vcpus":%s,"vmm":%s}'
)

_AT_ONCE = 1 << 14
"""Rows that are texts at the same time."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows with a number for each value but the digest. texts: by column, what stands in a leaf for each number.

    Numbers are in the order of the texts, so that rows are sorted as their leaves are.
    """

    table: pa.Table
    texts: Mapping[str, list[str]]

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> Rows:
        """From tables that have COLUMNS of launch_digests.parquet; raises KeyError, ArrowException for others."""
        known: dict[str, dict[Any, int]] = {name: {None: 0} for name in COLUMNS if name != _DIGEST}
        schema = pa.schema([(name, _WRITTEN[name][0] if name == _DIGEST else pa.int32()) for name in COLUMNS])
        parts = [schema.empty_table()]
        for table in tables:
            columns = [table[name].cast(kind) for name, (kind, _) in _WRITTEN.items()]
            numbers = [
                column if name == _DIGEST else _numbered(column, known[name])
                for name, column in zip(COLUMNS, columns, strict=True)
            ]
            parts.append(pa.table(numbers, schema=schema))
        whole = pa.concat_tables(parts).combine_chunks()
        texts = {}
        for name, numbers_of in known.items():
            written = ["null" if value is None else _WRITTEN[name][1](value) for value in numbers_of]
            order = sorted(range(len(written)), key=lambda number: written[number] + ",")  # which follows it in a leaf
            texts[name] = [written[number] for number in order]
            ranks = pa.array(sorted(range(len(order)), key=order.__getitem__), pa.int32())
            at = COLUMNS.index(name)
            whole = whole.set_column(at, name, pc.take(ranks, whole[name]))
        return cls(whole, texts)

    def __len__(self) -> int:
        return len(self.table)

    def sorted(self) -> Rows:
        """In the order of their leaves, each once."""
        order = pc.sort_indices(self.table, sort_keys=[(name, "ascending") for name in COLUMNS])
        table = self.table.take(order).combine_chunks()
        if not len(table):
            return self
        rest, before = table.slice(1), table.slice(0, len(table) - 1)
        differ = (pc.not_equal(rest[name], before[name]) for name in COLUMNS)
        first = pa.chunked_array([pa.array([True]), *reduce(pc.or_, differ).chunks])
        return replace(self, table=table.filter(first))

    def filter(self, kept: pa.BooleanArray) -> Rows:
        """Some of the rows."""
        return replace(self, table=self.table.filter(kept))

    def leaves(self) -> Iterator[bytes]:
        """Byte for byte those of `leaf_of`."""
        for batch in self.table.to_batches(max_chunksize=_AT_ONCE):
            columns = []
            for name, column in zip(COLUMNS, batch.columns, strict=True):
                values = column.to_pylist()
                texts = map(bytes.hex, values) if name == _DIGEST else map(self.texts[name].__getitem__, values)
                columns.append(texts)
            for row in zip(*columns, strict=True):
                yield (_LEAF % row).encode("ascii")


def row_leaves(rows: pa.Table) -> list[bytes]:
    """The leaves of rows of launch_digests.parquet, in their order."""
    return list(Rows.of([rows]).leaves())


def _numbered(column: pa.ChunkedArray, known: dict[Any, int]) -> pa.Array:
    """A number for each value, one more for each that is not known yet."""
    encoded = column.combine_chunks().dictionary_encode()
    numbers = pa.array([known.setdefault(value, len(known)) for value in encoded.dictionary.to_pylist()], pa.int32())
    return pc.fill_null(pc.take(numbers, encoded.indices), 0)
