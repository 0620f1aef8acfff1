"""Compares the packed index with the rows of the Parquet files: every digest has to lead to the inputs of its row.

A lookup reads an entry, the group of its ordinal, and the digest at the place that the index gives in a Parquet file.
So each of these is compared for every row, by columns and not row by row. The fs-verity digest is compared, too: blocks
are verified by it, while this check reads the bytes that SHA-256 verifies.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from catalog.fast import verity
from catalog.fast.index import ROW_GROUP, Group, Index
from catalog.fast.names import PROFILES, TABLES, Names
from catalog.fast.verity import DamagedBlock, VerifiedBytes
from catalog.launch.technology import technology_named
from catalog.rows.fields import AXES, COMPONENTS
from catalog.store import manifest
from catalog.store.components import Components
from catalog.store.digest_parts import DigestPart, digest_parts

if TYPE_CHECKING:
    import pyarrow as pa

GROUPED = tuple(field.name for field in COMPONENTS if field.name != "technology")
"""Columns of the components that all rows of a group have in common."""

_AXES = tuple(field.name for field in AXES)


def index_faults(components: Components, technologies: Collection[str] | None = None) -> Iterator[str]:
    """A line for each part of these technologies, by default all, or of their indexes, that is wrong.

    An index of distinguished digests has no rows to compare it with: a lookup there measures what it finds. Raises as
    `Components.verified`, and MalformedRecord for a part that is not a table of launch digests.
    """
    data = components.verified(manifest.NAMES)
    yield from tree_faults(components, manifest.NAMES, data)
    for technology in components.manifest.known if technologies is None else technologies:
        entry, name = components.manifest.known[technology], f"{technology}/{manifest.INDEX}"
        packed = components.verified(name)
        yield from tree_faults(components, name, packed)
        if not entry.parts:
            continue
        try:
            yield from _IndexRows(components, technology, packed, Names(VerifiedBytes(data))).faults()
        except DamagedBlock as fault:
            yield f"{name}: {fault}"


class _IndexRows:
    """An index in memory, to compare with the rows of its technology."""

    def __init__(self, components: Components, technology: str, data: bytes, names: Names) -> None:
        index = Index(VerifiedBytes(data), _no_page)
        parts = digest_parts(components, technology)
        size = technology_named(technology).digest_size
        if (index.technology, index.digest_size, index.parts) != (technology, size, len(parts)):
            raise DamagedBlock("it is not the index of this technology and its parts")
        if index.distinguished_bits:
            raise DamagedBlock("it keeps distinguished digests only, and there are rows")
        self._components, self._technology, self._parts = components, technology, parts
        self._index, self._data, self._layout = index, data, index.layout()
        self._groups = _Groups.of(index, names)
        self._bounds = _little_endian(data, self._layout.bucket_at, (1 << self._layout.bucket_bits) + 1)
        self._rows, self._last = 0, 0

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
        import pyarrow.compute as pc

        number, name = part.number, part.name
        data = self._components.verified(name)
        yield from (fault.removeprefix(f"{name}: ") for fault in tree_faults(self._components, name, data))
        columns = ("launch_digest", *GROUPED, *_AXES)
        table = part.table(columns, data=data).combine_chunks()
        first, count, layout = self._rows, len(table), self._layout
        self._rows += count
        if layout.first_rows[number] != first or self._rows > self._index.rows:
            raise DamagedBlock(f"its rows are not those of {name}")
        if not count:
            return
        size, column = self._index.digest_size, table["launch_digest"].combine_chunks()
        digests = bytes(memoryview(column.buffers()[1])[size * column.offset : size * (column.offset + count)])
        at = layout.entry_at + layout.entry_size * first
        entries = _big_endian(self._data[at : at + layout.entry_size * count], layout.entry_size, layout.entry_size)
        if column.null_count or not self._pages_have(number, data, digests):
            yield "the index has other digests of these rows"
        if not self._are_found(digests, entries, first):
            yield "the index does not lead to all of these rows"
        bits = self._index.ordinal_bits
        ordinals = pc.bit_wise_and(entries, _whole((1 << bits) - 1))
        yield from self._groups.faults(table, ordinals)

    def _pages_have(self, number: int, data: bytes, digests: bytes) -> bool:
        """Whether the digests are at the places in a part's file that the index gives."""
        page, step = self._layout.first_pages[number], ROW_GROUP * self._index.digest_size
        for start in range(0, len(digests), step):
            offset, there = self._layout.page_offsets[page], digests[start : start + step]
            if data[offset : offset + len(there)] != there:
                return False
            page += 1
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


@dataclass(frozen=True, slots=True)
class _Groups:
    """All groups, as columns.

    firsts: first ordinal of each group, then the end of the last one.
    components: component of each group, by column.
    axes: for each axis all values, and for each group where its values begin among them and how many it has, 1 or more.
    """

    firsts: array[int]
    components: dict[str, Any]
    axes: dict[str, tuple[Any, Any, Any]]

    @classmethod
    def of(cls, index: Index, names: Names) -> _Groups:
        """Read all groups; raises DamagedBlock if they are not consecutive, with one ordinal for each row."""
        import pyarrow as pa

        from catalog.rows.arrow import arrow_type

        firsts = array("Q", [0])
        components: dict[str, list[Any]] = {name: [] for name in GROUPED}
        values: dict[str, list[int | None]] = {name: [] for name in _AXES}
        places: dict[str, dict[tuple[int, ...], int]] = {name: {} for name in _AXES}
        starts: dict[str, tuple[list[int], list[int]]] = {name: ([], []) for name in _AXES}
        for group in index.groups():
            if group.first != firsts[-1] or group.first + group.rows > index.rows:
                raise DamagedBlock("its groups are not consecutive")
            firsts.append(group.first + group.rows)
            for name, value in zip(GROUPED, group_components(group, names), strict=True):
                components[name].append(value)
            for name, listed in zip(_AXES, (group.signatures, group.features, group.counts), strict=True):
                if listed not in places[name]:
                    places[name][listed] = len(values[name])
                    values[name] += listed or (None,)
                starts[name][0].append(places[name][listed])
                starts[name][1].append(len(listed) or 1)
        if firsts[-1] != index.rows:
            raise DamagedBlock("its groups do not have as many rows as it has entries")
        number = pa.uint64()
        kinds = {field.name: arrow_type(field) for field in COMPONENTS}
        return cls(
            firsts,
            {name: pa.array(column, kinds[name]) for name, column in components.items()},
            {
                name: (pa.array(values[name], number), pa.array(begins, number), pa.array(sizes, number))
                for name, (begins, sizes) in starts.items()
            },
        )

    def faults(self, table: pa.Table, ordinals: pa.UInt64Array) -> Iterator[str]:
        """Compare the inputs of each row with those of its ordinal; a line if any differ."""
        import pyarrow as pa
        import pyarrow.compute as pc

        order = pc.sort_indices(ordinals)
        sorted_ = ordinals.take(order)
        if sorted_[-1].as_py() >= self.firsts[-1]:
            yield "the index has a row that is in none of its groups"
            return
        table, group = table.take(order), self._group_of(sorted_)
        rest = pc.subtract(sorted_, pa.array(self.firsts, pa.uint64()).take(group))
        expected = {name: column.take(group) for name, column in self.components.items()}
        for name in reversed(_AXES):  # the last one changes first
            values, start, count = self.axes[name]
            rest, place = _divided(rest, count.take(group))
            expected[name] = values.take(pc.add(start.take(group), place))
        wrong = reduce(pc.or_, (_differs(table[name].combine_chunks(), column) for name, column in expected.items()))
        if count := pc.sum(wrong).as_py():
            row = pc.min(order.filter(wrong)).as_py()
            yield f"row {row}: the index leads from its digest to other inputs (wrong rows: {count:,})"

    def _group_of(self, ordinals: pa.UInt64Array) -> pa.UInt32Array:
        """The number of the group of each ordinal. ordinals: ascending."""
        import pyarrow as pa

        numbers, found = memoryview(ordinals.buffers()[1]).cast("Q")[: len(ordinals)], array("I")
        begin = 0
        for number, end in enumerate(self.firsts[1:]):
            after = bisect_left(numbers, end, begin)
            found.extend(array("I", [number]) * (after - begin))
            begin = after
        return pa.array(found, pa.uint32())


def group_components(group: Group, names: Names) -> tuple[bytes | str | None, ...]:
    """The values of GROUPED of a group, hashes as bytes; raises DamagedBlock for a component without a hash."""
    try:
        table = None if group.kernel_hashes is None else names.record(TABLES, group.kernel_hashes)[0] or ""
        return (
            *(None if one is None else bytes.fromhex(one) for one in (*names.identity(group.firmware), table)),
            None if group.vmm is None else names.record(PROFILES, group.vmm)[0],
        )
    except (ValueError, LookupError) as error:
        raise DamagedBlock("the component names are invalid") from error


def tree_faults(components: Components, name: str, data: bytes) -> Iterator[str]:
    """A line if the manifest has the fs-verity digest of other bytes than those that its SHA-256 verifies."""
    root, _ = verity.merkle_tree(verity.leaf_hashes([data], hashlib.sha256), hashlib.sha256)
    stated = components.manifest.files[name].fsverity
    if stated != verity.file_digest(root, len(data), hashlib.sha256).hex():
        yield f"{name}: its fs-verity digest in the manifest is that of other bytes"


def _differs(found: pa.Array, expected: pa.Array) -> pa.BooleanArray:
    """Whether each pair of values differs, or only one of the two is null."""
    import pyarrow.compute as pc

    others = pc.not_equal(found.cast(expected.type), expected)
    return pc.or_(pc.fill_null(others, False), pc.xor(pc.is_null(found), pc.is_null(expected)))


def _divided(numbers: pa.UInt64Array, by: pa.UInt64Array) -> tuple[pa.UInt64Array, pa.UInt64Array]:
    """Quotients and remainders."""
    import pyarrow.compute as pc

    quotients = pc.divide(numbers, by)
    return quotients, pc.subtract(numbers, pc.multiply(quotients, by))


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
