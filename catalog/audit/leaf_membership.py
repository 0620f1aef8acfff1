"""Which of many leaf hashes a log lacks, in memory that does not grow with either.

Hashes are split by their first bits into files, and then compared shard by shard.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from catalog.build.generation import Spill
from catalog.errors import shortage
from catalog.files.inputs import unreadable
from catalog.store import row_records
from catalog.store.duckdb_scratch import scratch_folder
from catalog.store.row_records import NUMBERS_SIZE, Batch, Buffer
from catalog.transparency.merkle import HASH_SIZE

_SHARD = 1 << 17
"""About the most hashes of the log that are compared at once."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Hashes of a chunk that the log lacks. count: how many. first: the place of the first one in the chunk."""

    count: int
    first: int


class LeafMembership:
    """Leaf hashes of a log, and chunks of other hashes to look for. Raises OSError for the folder."""

    def __init__(self, folder: Path, leaves: int) -> None:
        bits = (leaves // _SHARD).bit_length()
        self._known, self._asked = (Spill(folder / name, bits, HASH_SIZE) for name in ("known", "asked"))
        self._chunks = 0

    def add_known(self, hashes: bytes) -> None:
        """Add leaf hashes of the log, one after the other."""
        self._add(self._known, hashes, 0)

    def ask(self, hashes: bytes) -> int:
        """Look for these hashes; returns the number of the chunk."""
        self._chunks += 1
        self._add(self._asked, hashes, self._chunks)
        return self._chunks

    def missing(self) -> dict[int, Missing]:
        """The hashes that the log lacks, by the number of their chunk. Called once, at the end."""
        found: dict[int, Missing] = {}
        for shard in range(1 << self._asked.bits):
            asked = _records(self._asked.take(shard))
            lacking = asked.filter(
                pc.invert(pc.is_in(_hashes(asked), value_set=_hashes(_records(self._known.take(shard)))))
            )
            for record in lacking:
                chunk, place = divmod(int.from_bytes(record.as_py()[HASH_SIZE:], "big"), 1 << 32)
                before = found.get(chunk, Missing(0, place))
                found[chunk] = Missing(before.count + 1, min(before.first, place))
        return found

    def _add(self, spill: Spill, hashes: bytes, chunk: int) -> None:
        if hashes:
            spill.add(row_records.split([Batch(hashes, HASH_SIZE, [chunk])], spill.bits))


@contextmanager
def leaf_membership(leaves: int) -> Iterator[LeafMembership]:
    """A LeafMembership in a temporary folder. leaves: of the log. Raises DiskFull, OutOfMemory, Unreadable."""
    with scratch_folder() as folder:
        try:
            yield LeafMembership(folder, leaves)
        except OSError as error:
            raise shortage(error, str(folder)) or unreadable(folder, error) from error


def _records(records: Buffer) -> pa.FixedSizeBinaryArray:
    size = HASH_SIZE + NUMBERS_SIZE
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(records) // size, [None, pa.py_buffer(records)])


def _hashes(records: pa.FixedSizeBinaryArray) -> pa.FixedSizeBinaryArray:
    return pc.binary_slice(records, 0, HASH_SIZE)
