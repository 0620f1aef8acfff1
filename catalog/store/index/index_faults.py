"""Compares the packed index with the rows of the Parquet files: every digest has to lead to the inputs of its row.

A lookup reads an entry, the group of its ordinal, and the digest at the place that the index gives in a Parquet file.
So each of these is compared for every row, by columns and not row by row. The fs-verity digest is compared, too: blocks
are verified by it, while this check reads the bytes that SHA-256 verifies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.fast import verity
from catalog.fast.index import ROW_GROUP, Index
from catalog.fast.names import Names
from catalog.fast.verity import DamagedBlock, VerifiedBytes
from catalog.launch.technology import technology_named
from catalog.store import manifest
from catalog.store.components import Components
from catalog.store.digest_parts import DigestPart, digest_parts
from catalog.store.index.index_groups import AXIS_NAMES, GROUPED, IndexGroups
from catalog.store.index.met_ordinals import MetOrdinals

if TYPE_CHECKING:
    import pyarrow as pa


def index_faults(components: Components, technologies: Collection[str] | None = None) -> Iterator[str]:
    """A line for each part of these technologies, by default all, or of their indexes, that is wrong.

    An index of distinguished digests has no rows to compare it with: a lookup there measures what it finds. Raises as
    `Components.verified`, and MalformedRecord for a part that is not a table of launch digests.
    """
    chosen = components.manifest.known if technologies is None else technologies
    names = {name: components.verified(name) for name in {manifest.NAMES, *map(manifest.names_file, chosen)}}
    for name, data in sorted(names.items()):
        yield from tree_faults(components, name, data)
    for technology in chosen:
        entry, name = components.manifest.known[technology], f"{technology}/{manifest.INDEX}"
        packed = components.verified(name)
        yield from tree_faults(components, name, packed)
        if not entry.parts:
            continue
        try:
            file = VerifiedBytes(names[manifest.names_file(technology)])
            yield from _IndexRows(components, technology, packed, Names(file)).faults()
        except DamagedBlock as fault:
            yield f"{name}: {fault}"


def has_distinct_inputs(components: Components, technology: str) -> bool:
    """Whether no two rows have equal inputs, if the index can tell: it has no fault, and one ordinal for each row.

    False does not say that two have. Raises as `index_faults`.
    """
    name = f"{technology}/{manifest.INDEX}"
    try:
        file = components.verified(manifest.names_file(technology))
        names, data = Names(VerifiedBytes(file)), components.verified(name)
        met = MetOrdinals(Index(VerifiedBytes(data), _no_page), names)
        return met.distinct and not any(_IndexRows(components, technology, data, names, met).faults()) and met.distinct
    except DamagedBlock:
        return False


class _IndexRows:
    """An index in memory, to compare with the rows of its technology. met: is told of the ordinal of each row."""

    def __init__(
        self, components: Components, technology: str, data: bytes, names: Names, met: MetOrdinals | None = None
    ) -> None:
        index = Index(VerifiedBytes(data), _no_page)
        parts = digest_parts(components, technology)
        size = technology_named(technology).digest_size
        if (index.technology, index.digest_size, index.parts) != (technology, size, len(parts)):
            raise DamagedBlock("it is not the index of this technology and its parts")
        if index.distinguished_bits:
            raise DamagedBlock("it keeps distinguished digests only, and there are rows")
        self._components, self._technology, self._parts = components, technology, parts
        self._index, self._data, self._layout = index, data, index.layout()
        self._groups = IndexGroups.of(index, names)
        self._bounds = _little_endian(data, self._layout.bucket_at, (1 << self._layout.bucket_bits) + 1)
        self._rows, self._last = 0, 0
        self._met = met

    def faults(self) -> Iterator[str]:
        """A line for each fault, in the order of the rows."""
        import pyarrow.compute as pc

        bounds, name = self._bounds, f"{self._technology}/{manifest.INDEX}"
        if bounds[0].as_py() != 0 or pc.any(pc.less(bounds[1:], bounds[:-1])).as_py():
            yield f"{name}: its buckets are not in order"
        for part in self._parts:
            yield from (f"{part.name}: {fault}" for fault in self._part_faults(part))
        if not self._rows == self._index.rows == bounds[-1].as_py():
            yield f"{name}: it has {self._index.rows:,} entries for {self._rows:,} rows"

    def _part_faults(self, part: DigestPart) -> Iterator[str]:
        number, name = part.number, part.name
        data = self._components.verified(name)
        yield from (fault.removeprefix(f"{name}: ") for fault in tree_faults(self._components, name, data))
        first, found = self._rows, _Faults()
        for table in part.groups(("launch_digest", *GROUPED, *AXIS_NAMES), data=data, encoded=GROUPED):
            if len(table):
                self._compare(table, part, data, self._rows - first, found)
        if self._layout.first_rows[number] != first:
            raise DamagedBlock(f"its rows are not those of {name}")
        yield from found.lines()

    def _compare(self, table: pa.Table, part: DigestPart, data: bytes, start: int, found: _Faults) -> None:
        """Compare a row group. data: of the part's file. start: number of the first row in the part."""
        import pyarrow.compute as pc

        size, layout, column = self._index.digest_size, self._layout, table["launch_digest"].combine_chunks()
        row, count = self._rows, len(table)
        self._rows += count
        if layout.first_rows[part.number] != row - start or self._rows > self._index.rows:
            raise DamagedBlock(f"its rows are not those of {part.name}")
        digests = bytes(memoryview(column.buffers()[1])[size * column.offset : size * (column.offset + count)])
        at = layout.entry_at + layout.entry_size * row
        entries = _big_endian(self._data[at : at + layout.entry_size * count], layout.entry_size, layout.entry_size)
        found.other_digests |= bool(column.null_count) or not self._pages_have(part.number, data, digests, start)
        found.not_led_to |= not self._are_found(digests, entries, row)
        ordinals = pc.bit_wise_and(entries, _whole((1 << self._index.ordinal_bits) - 1))
        if pc.max(ordinals).as_py() >= self._index.rows:
            found.in_no_group = True
            return
        if self._met:
            self._met.add(ordinals)
        wrong = self._groups.wrong_rows(table, ordinals)
        if number := pc.sum(wrong).as_py():
            found.add_wrong(start + pc.index(wrong, True).as_py(), number)

    def _pages_have(self, number: int, data: bytes, digests: bytes, row: int) -> bool:
        """Whether the digests of rows from `row` on are at the places in a part's file that the index gives."""
        layout, size, at = self._layout, self._index.digest_size, 0
        while at < len(digests):
            page, within = layout.first_pages[number] + row // ROW_GROUP, row % ROW_GROUP
            there = digests[at : at + size * (ROW_GROUP - within)]
            offset = layout.page_offsets[page] + size * within if page < len(layout.page_offsets) else len(data)
            if data[offset : offset + len(there)] != there:
                return False
            at += len(there)
            row += ROW_GROUP - within
        return True

    def _are_found(self, digests: bytes, entries: pa.UInt64Array, first: int) -> bool:
        """Whether each row is in the bucket of its digest, with the next bits of the digest, in order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        shift, bits = self._index.ordinal_bits, self._layout.bucket_bits
        width = 8 * self._layout.entry_size - shift
        keys = pc.shift_right(_big_endian(digests, self._index.digest_size, 8), _whole(64 - bits - width))
        low = pc.bit_wise_and(keys, _whole((1 << width) - 1))
        bucket = pc.shift_right(keys, _whole(width))
        rows = pa.array(range(first, first + len(keys)), pa.uint64())
        right = (
            pc.equal(low, pc.shift_right(entries, _whole(shift))),
            pc.less_equal(self._bounds.take(bucket), rows),
            pc.greater(self._bounds.take(pc.add(bucket, _whole(1))), rows),
            pc.greater_equal(keys[1:], keys[:-1]),
        )
        before, self._last = self._last, keys[-1].as_py()
        return before <= keys[0].as_py() and all(pc.all(one).as_py() is not False for one in right)


@dataclass(slots=True)
class _Faults:
    """What was found in the row groups of a part.

    first_wrong: number of the first row in the part with other inputs.
    wrong_rows: how many have other inputs.
    """

    other_digests: bool = False
    not_led_to: bool = False
    in_no_group: bool = False
    first_wrong: int | None = None
    wrong_rows: int = 0

    def add_wrong(self, first: int, count: int) -> None:
        """Count rows with other inputs. first: number of the first one in the part."""
        self.wrong_rows += count
        if self.first_wrong is None:
            self.first_wrong = first

    def lines(self) -> Iterator[str]:
        """A line for each kind of fault."""
        if self.other_digests:
            yield "the index has other digests of these rows"
        if self.not_led_to:
            yield "the index does not lead to all of these rows"
        if self.in_no_group:
            yield "the index has a row that is in none of its groups"
        elif self.wrong_rows:
            wrong = f"(wrong rows: {self.wrong_rows:,})"
            yield f"row {self.first_wrong}: the index leads from its digest to other inputs {wrong}"


def tree_faults(components: Components, name: str, data: bytes) -> Iterator[str]:
    """A line if the manifest has the fs-verity digest of other bytes than those that its SHA-256 verifies."""
    root, _ = verity.merkle_tree(manifest.block_hashes(data), hashlib.sha256)
    stated = components.manifest.files[name].fsverity
    if stated != verity.file_digest(root, len(data), hashlib.sha256).hex():
        yield f"{name}: its fs-verity digest in the manifest is that of other bytes"


def _big_endian(data: bytes, stride: int, size: int) -> pa.UInt64Array:
    """The first `size` bytes of every `stride` bytes, as big-endian numbers."""
    words = bytearray(8 * (len(data) // stride))
    for place in range(size):
        words[size - 1 - place :: 8] = data[place::stride]
    return _little_endian(bytes(words), 0, len(words) // 8)


def _little_endian(data: bytes, offset: int, count: int) -> pa.UInt64Array:
    """`count` little-endian numbers of 8 bytes at `offset`."""
    import pyarrow as pa

    return pa.UInt64Array.from_buffers(pa.uint64(), count, [None, pa.py_buffer(data[offset : offset + 8 * count])])


def _whole(number: int) -> pa.UInt64Scalar:
    import pyarrow as pa

    return pa.scalar(number, pa.uint64())


def _no_page(*_: int) -> bytes:
    raise DamagedBlock("pages are read whole")
