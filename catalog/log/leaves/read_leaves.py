"""Reads the entries of a log as parts: blocks of rows, and every other leaf by itself.

A row that does not fit in a block, because its digest or vCPU count is in another notation, is parsed as other leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import LdcatError, MalformedRecord
from catalog.log.leaf_texts import is_row, read_technology
from catalog.log.leaves.bundle_files import ENOUGH, bundle_files, end_of_folder
from catalog.log.leaves.entries import Entries, Gathering
from catalog.log.leaves.group_table import Columns, GroupTable
from catalog.log.leaves.leaf_block import Leaf, LeafBlock, LogPart, RowGroup
from catalog.log.leaves.row_text import LARGEST, take_apart
from catalog.log.leaves.tile_check import TileCheck
from catalog.log.records import AnyRecord, parse_record
from catalog.rows.digest_record import DigestRecord
from catalog.transparency import merkle
from catalog.transparency.merkle import HASH_SIZE
from catalog.transparency.tiles import DAMAGED, WIDTH, TileReader
from catalog.work.ahead import made_ahead

_AT_ONCE = 16
"""Entry bundles: how many are read at once."""


def parse_entry(reader: TileReader, index: int, leaf: bytes) -> AnyRecord:
    """Parse an entry of a log that is not verified yet. Raises MalformedRecord, which names its file."""
    try:
        return parse_record(leaf)
    except MalformedRecord as error:
        try:
            fault = reader.entry_fault(index, merkle.leaf_hash(leaf))
        except LdcatError as failure:
            fault = f"entry {index} of the log cannot be compared with its tile, {failure}"
        if fault:
            raise MalformedRecord(f"{fault}: {error}", DAMAGED) from error
        where = f"entry {index} of the log, in {reader.entry_path(index)}, was published so"
        raise MalformedRecord(
            f"{where}: {error}", "ask its publisher; ldcat audit LOG shows what else is wrong"
        ) from error


def log_parts(
    reader: TileReader, first: int, size: int, *, rows: bool, root: Path | None = None, tiles: TileCheck | None = None
) -> Iterator[LogPart]:
    """Yield the leaves of a log from `first` on.

    size: of the log.
    rows: whether rows are parsed.
    root: the folder of a local log, whose leaves a thread reads and hashes while others are used; else None.
    tiles: compares the tiles with the hashes of the leaves; None: they are not read.

    Every part before a fault is yielded before it is raised. Raises as TileReader.entries and `parse_entry`.
    """
    blocks, chunks = _Blocks(reader, parses=rows), _chunks(reader, first, size, root, tiles)
    for chunk in made_ahead(chunks) if root is not None and size - first > _AT_ONCE * WIDTH else chunks:
        yield from blocks.parts(chunk)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Leaves that were read together. index: of the first one in the log. hashes: their leaf hashes."""

    index: int
    entries: Entries
    hashes: bytes


def _chunks(reader: TileReader, first: int, size: int, root: Path | None, tiles: TileCheck | None) -> Iterator[_Chunk]:
    """Yield the leaves from `first` on, some bundles at a time; at a fault those before it, before it is raised."""
    begin, bundles = first // WIDTH, -(-size // WIDTH)
    with bundle_files(root) as files:
        while begin < bundles:
            end = min(begin + _AT_ONCE, bundles, end_of_folder(begin))
            begun = files.read(begin, min(end, size // WIDTH)) if files else None
            gathered, failure = Gathering(reader, begun), None
            begin += len(begun) // WIDTH if begun else 0
            try:
                while begin < end and gathered.size < ENOUGH:
                    gathered.add(begin)
                    begin += 1
            except LdcatError as error:
                failure = error
            found = gathered.entries()
            entries = found.part(first % WIDTH, len(found))
            hashes = entries.hashes()
            if tiles:
                tiles.add(first, hashes, files)
            yield _Chunk(first, entries, hashes)
            if failure:
                raise failure
            first += len(entries)


class _Blocks:
    """Makes parts of entries. parses: whether rows are parsed."""

    def __init__(self, reader: TileReader, *, parses: bool) -> None:
        self._reader = reader
        self._parses = parses
        self._table = GroupTable()

    def parts(self, chunk: _Chunk) -> Iterator[LogPart]:
        """Yield the leaves of a chunk. Raises as `parse_entry`."""
        index, entries, hashes = chunk.index, chunk.entries, chunk.hashes
        columns, begun, at = Columns.of(len(entries)), 0, 0

        def block() -> Iterator[LeafBlock]:
            """The rows since the last leaf by itself, if there are any."""
            if begun < at:
                yield LeafBlock(
                    index + begun,
                    entries.part(begun, at),
                    hashes[HASH_SIZE * begun : HASH_SIZE * at],
                    bytes(columns.digests[LARGEST * begun : LARGEST * at]),
                    columns.vcpus[begun:at],
                    columns.groups[begun:at],
                    self._table.groups,
                )

        while (at := self._table.take(entries, at, columns)) < len(entries):
            if self._table.is_full:
                yield from block()
                begun, self._table = at, GroupTable()
            hashed = hashes[HASH_SIZE * at : HASH_SIZE * (at + 1)]
            try:
                leaf = self._learn(index + at, entries[at], hashed)
            except LdcatError:
                yield from block()
                raise
            if leaf:
                yield from block()
                yield leaf
                begun = at = at + 1
        yield from block()

    def _learn(self, index: int, text: bytes, hashed: bytes) -> Leaf | None:
        """Add the group of a row to the table; or return the leaf, if it does not fit in a block."""
        record = parse_entry(self._reader, index, text) if self._parses or not is_row(text) else None
        row = take_apart(text) if is_row(text) else None
        first = record if isinstance(record, DigestRecord) else None
        if row and self._table.add(text, RowGroup(first, read_technology(text), len(row.digest))):
            return None
        return Leaf(index, text, hashed, record)
