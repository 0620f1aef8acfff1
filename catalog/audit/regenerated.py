"""Generates the rows of a technology again, as a build does, and compares them with its Parquet parts and its index.

If all are equal, every claim about these rows holds: generated rows are sorted, have the inputs that the index lists,
each once, and the digests and facts that follow from these. What differs is for the other checks to explain.
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from catalog.audit.audit_rows import ENCODED
from catalog.audit.indexed_sweeps import indexed_sweeps
from catalog.audit.logged_rows import LoggedRows
from catalog.build import generation
from catalog.build.digest_table import DigestTable
from catalog.build.generation import Spill
from catalog.errors import LdcatError
from catalog.fast.index import ROW_GROUP, Index
from catalog.fast.names import Names
from catalog.fast.verity import SUFFIX, DamagedBlock, VerifiedBytes, VerifiedFile
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.technology import technology_named
from catalog.log.log_history import History
from catalog.store import manifest, row_records
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import EVERY, DigestPart, digest_parts
from catalog.store.duckdb_scratch import scratch_folder
from catalog.store.index.index_faults import tree_faults
from catalog.store.row_records import Columns, Keying
from catalog.work.engine import Engine
from catalog.work.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHARD_ROWS = 1 << 18
"""About the most rows that are sorted at once: fewer than in a part, to need little memory."""

_AT_ONCE = 2
"""Parts that are compared at once: the bytes of each are in memory."""


@dataclass(frozen=True, slots=True)
class Regenerated:
    """What is equal to the generated rows of a technology.

    parts: numbers of the Parquet parts that have these rows, where the index says, and its entries lead to them.
    whole: whether all parts are among them, and the index has no other entries.
    logged: whether a log has all rows, too; False if it was not asked, or is not known to have them.
    """

    parts: frozenset[int] = frozenset()
    whole: bool = False
    logged: bool = False


def regenerate(
    catalog: Catalog,
    technology: str,
    *,
    engine: Engine,
    backend: HashBackend,
    progress: Progress,
    trees: bool = False,
    history: History | None = None,
) -> Regenerated:
    """Generate the rows of a technology, of which every digest is kept, and compare them.

    progress: receives numbers of hashed rows.
    trees: whether a part is not equal, either, if its fs-verity digest is that of other bytes.
    history: of a log that was read to be audited, with which the rows are compared; its groups get new ones.

    Nothing is equal if the index or a component cannot be read, or a row can not be generated, be it for want of disk
    space: the checks that follow then report why, or need none of it.
    """
    entry = catalog.manifest.files[name := f"{technology}/{manifest.INDEX}"]
    try:
        for needed in (name, name + SUFFIX):
            catalog.need(needed)
        digest = bytes.fromhex(entry.fsverity or "")
        with (
            scratch_folder() as folder,
            closing(VerifiedFile(name, digest, entry.size, hashlib.sha256, catalog.files)) as file,
        ):
            comparison = _Comparison(catalog, technology, file, folder, trees=trees, history=history)
            comparison.generate(engine, backend, progress)
            return comparison.compare(engine)
    except (LdcatError, DamagedBlock, OSError, ValueError):
        return Regenerated()


class _Comparison:
    """Files of one technology, and the rows that its index lists. Raises DamagedBlock, LdcatError for the index."""

    def __init__(
        self,
        catalog: Catalog,
        technology: str,
        file: VerifiedFile,
        folder: Path,
        *,
        trees: bool,
        history: History | None,
    ) -> None:
        index = Index(file, _no_page)
        parts, size = digest_parts(catalog, technology), technology_named(technology).digest_size
        if (index.technology, index.digest_size, index.parts) != (technology, size, len(parts)):
            raise DamagedBlock("it is not the index of this technology and its parts")
        layout = index.layout()
        self._part_bits, shards = (len(parts) - 1).bit_length(), (index.rows // _SHARD_ROWS).bit_length()
        bits = min(max(self._part_bits, shards), layout.bucket_bits)
        if index.distinguished_bits or bits < self._part_bits or index.rows > 1 << index.ordinal_bits:
            raise DamagedBlock("a build makes no such index for these rows")
        found = indexed_sweeps(catalog, index, Names(VerifiedBytes(catalog.verified(manifest.names_file(technology)))))
        self._catalog, self._parts, self._file, self._index, self._layout = catalog, parts, file, index, layout
        self._sweeps, self._trees = found.sweeps, trees
        self._keying = Keying(found.starts, layout.bucket_bits, index.ordinal_bits, layout.entry_size)
        self._table = DigestTable(technology, size, found.sweeps)
        self._spill = Spill(folder / "rows", bits, size)
        self._logged = LoggedRows(history, self._table, found.sweeps, size) if history and history.products else None

    def generate(self, engine: Engine, backend: HashBackend, progress: Progress) -> None:
        """Hash all rows."""
        generation.hash_into(
            self._spill,
            self._sweeps,
            range(len(self._sweeps)),
            distinguished_bits=0,
            engine=engine,
            backend=backend,
            progress=progress,
        )

    def compare(self, engine: Engine) -> Regenerated:
        """Compare the hashed rows, which are used up."""
        if engine.in_process:
            with closing(replace(engine, ahead=_AT_ONCE).run(self._is_same, self._parts)) as results:
                same = frozenset(number for number, is_same in results if is_same)
        else:
            same = frozenset(part.number for part in self._parts if self._is_same(part))
        layout, rows = self._layout, self._index.rows
        end = self._file.read(layout.bucket_at + (8 << layout.bucket_bits), 8)
        whole = len(same) == len(self._parts) and end == _little_endian([rows])
        return Regenerated(same, whole, logged=whole and self._logged is not None and self._logged.are_all())

    def _is_same(self, part: DigestPart) -> bool:
        """Whether a part has the generated rows of its digests, and the index the entries that lead to them."""
        try:
            data = self._catalog.verified(part.name)
        except LdcatError:
            return False
        if self._trees and any(tree_faults(self._catalog.components, part.name, data)):
            return False
        firsts = [*self._layout.first_rows, self._index.rows]
        first, end = firsts[part.number : part.number + 2]
        sweeps, steps = array("I"), array("I")
        each = self._spill.bits - self._part_bits
        for shard in range(part.number << each, (part.number + 1) << each):
            columns = row_records.sorted_columns(
                self._spill.take(shard), self._spill.digest_size, self._keying, shard=shard, bits=self._spill.bits
            )
            row = first + len(sweeps)
            after = row + len(columns.sweeps)
            if after > end or not self._are_indexed(columns, shard, row):
                return False
            if self._digests(part, data, row - first, after - first) != columns.digests:
                return False
            sweeps += columns.sweeps
            steps += columns.steps
        is_whole = len(sweeps) == end - first == self._catalog.manifest.files[part.name].rows
        return is_whole and self._has_rows(part, data, sweeps, steps)

    def _are_indexed(self, columns: Columns, shard: int, row: int) -> bool:
        """Whether the index has the buckets and the entries of a shard. row: number of its first row."""
        layout = self._layout
        firsts = _little_endian(itertools.accumulate(columns.buckets[:-1], initial=row))
        buckets = self._file.read(layout.bucket_at + len(firsts) * shard, len(firsts))
        entries = self._file.read(layout.entry_at + layout.entry_size * row, len(columns.entries))
        return buckets == firsts and entries == columns.entries

    def _digests(self, part: DigestPart, data: bytes, start: int, end: int) -> bytes:
        """The digests of some rows of a part, at the places in its file that the index gives."""
        size, found = self._spill.digest_size, []
        while start < end:
            page, within = divmod(start, ROW_GROUP)
            count = min(ROW_GROUP - within, end - start)
            offset = self._layout.page_offsets[self._layout.first_pages[part.number] + page] + size * within
            found.append(data[offset : offset + size * count])
            start += count
        return b"".join(found)

    def _has_rows(self, part: DigestPart, data: bytes, sweeps: array[int], steps: array[int]) -> bool:
        """Whether the table of a part has these rows. sweeps, steps: of each row."""
        row = 0
        try:
            for table in part.groups(data=data, encoded=ENCODED):
                end = row + len(table)
                digests = bytearray(self._digests(part, data, row, min(end, len(sweeps))))
                rows = Columns(digests, sweeps[row:end], steps[row:end], bytearray(), array("Q"))
                generated = self._table.rows(rows)
                if end > len(sweeps) or not _are_equal(table, generated):
                    return False
                if self._logged:
                    self._logged.add(part.number, rows, generated)
                row = end
        except LdcatError:
            return False
        return row == len(sweeps)


def _are_equal(found: pa.Table, generated: pa.Table) -> bool:
    """Whether two tables have the same values; a column that is not generated is null in every row."""
    return all(
        _is_equal(found[name].combine_chunks(), generated[name].combine_chunks())
        if name in generated.column_names
        else found[name].null_count == len(found)
        for name in EVERY
    )


def _is_equal(found: pa.Array, generated: pa.Array) -> bool:
    if not pa.types.is_dictionary(generated.type):
        return bool(found.equals(generated))
    if not pa.types.is_dictionary(found.type):
        return bool(found.equals(generated.dictionary_decode()))
    codes = pc.fill_null(pc.index_in(found.dictionary, value_set=generated.dictionary), -1)  # -1: of no generated row
    return bool(codes.take(found.indices).equals(generated.indices))


def _little_endian(numbers: Iterable[int]) -> bytes:
    words = list(numbers)
    return pack(f"<{len(words)}Q", *words)


def _no_page(*_: int) -> NoReturn:
    raise DamagedBlock("pages are read whole")
