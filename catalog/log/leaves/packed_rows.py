"""Packed rows: 56 bytes each, sorted as their leaves and written as leaves, by compiled code or in Python.

A packed row is the digest, with zeros behind a shorter one, then the number of its group in LeafGroups and a word of
bits, both u32 in the byte order of this machine. Bits 0 to 16 are the slot: the vCPU count plus one, 0 for none.
Bits 24 to 29 are the bytes of the digest. Bit 31 is set in a row that the log has already.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from catalog.errors import MalformedRecord
from catalog.log.leaves import leaf_code
from catalog.log.leaves.entries import Entries
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.row_text import LARGEST, NONE
from catalog.transparency.tiles import ENTRY_AT, MAX_ENTRY

KNOWN = 1 << 31
MOST_SLOT = 1 << 16
_SIZE_SHIFT = 24
_ROW = struct.Struct(f"={LARGEST}sII")
ROW = _ROW.size
"""Bytes of a packed row."""

Rows = bytes | bytearray | memoryview


class PackedRow(NamedTuple):
    """A row. digest: without zeros behind it. group: its number. vcpus: the count, or NONE."""

    digest: bytes
    group: int
    vcpus: int

    @property
    def slot(self) -> int:
        """The count plus one; 0 for none."""
        return self.vcpus - NONE

    def leaf(self, groups: LeafGroups) -> bytes:
        """Its leaf."""
        of = groups[self.group]
        count = b"null" if self.vcpus == NONE else b"%d" % self.vcpus
        return b"".join((of.before, self.digest.hex().encode(), of.between, count, of.after))


def row_bits(digest_size: int, *, known: bool) -> int:
    """What is added to the slot of a row. digest_size: bytes, at most 48."""
    return digest_size << _SIZE_SHIFT | (KNOWN if known else 0)


def unpack_rows(rows: Rows) -> Iterator[PackedRow]:
    """Yield each row."""
    for digest, group, bits in _ROW.iter_unpack(rows):
        yield PackedRow(digest[: bits >> _SIZE_SHIFT & 63], group, (bits & 0x1FFFF) + NONE)


def pack_rows(digests: Rows, vcpus: array[int], groups: array[int], numbers: array[int], bits: array[int]) -> bytearray:
    """Pack rows of columns.

    digests: one after the other; all have the same number of bytes here, with zeros behind shorter ones.
    vcpus: vCPU counts, or NONE.
    groups: for each row an index in `numbers`, those of LeafGroups, and in `bits`, as `row_bits` gives them.
    Raises ValueError for columns that do not fit together.
    """
    count = len(groups)
    stride = len(digests) // count if count else LARGEST
    if len(vcpus) != count or len(digests) != count * stride or stride > LARGEST or len(bits) != len(numbers):
        raise ValueError("columns of rows have different lengths")
    out = bytearray(ROW * count)
    if leaf_code.lib:
        done = leaf_code.lib.ldcat_pack_rows(
            leaf_code.ffi.from_buffer("uint8_t[]", digests),
            stride,
            leaf_code.signed(vcpus),
            leaf_code.words(groups),
            count,
            leaf_code.words(numbers),
            leaf_code.words(bits),
            len(numbers),
            leaf_code.writable(out),
        )
        if not done:
            raise ValueError("a row has no group, or too many vCPUs")
        return out
    for at in range(count):
        if groups[at] >= len(numbers) or not NONE <= vcpus[at] < MOST_SLOT:
            raise ValueError("a row has no group, or too many vCPUs")
        digest = bytes(digests[at * stride : (at + 1) * stride])
        _ROW.pack_into(out, ROW * at, digest, numbers[groups[at]], vcpus[at] - NONE | bits[groups[at]])
    return out


def write_leaves(groups: LeafGroups, rows: Rows) -> Entries:
    """The leaves of rows. In memory each one follows its length, so that they are the entries of bundles as they are.

    Raises MalformedRecord if a leaf can be longer than an entry.
    """
    if groups.longest > MAX_ENTRY:
        raise MalformedRecord(f"a row whose leaf has more than {MAX_ENTRY:,} bytes cannot be published")
    count = len(rows) // ROW
    starts, sizes = array("I", bytes(4 * count)), array("I", bytes(4 * count))
    if leaf_code.lib is None:
        data = bytearray()
        for at, row in enumerate(unpack_rows(rows)):
            leaf = row.leaf(groups)
            data += len(leaf).to_bytes(ENTRY_AT, "big")
            starts[at], sizes[at] = len(data), len(leaf)
            data += leaf
        return Entries(data, starts, sizes)
    room = count * (groups.longest + ENTRY_AT)
    data = leaf_code.new_memory(room)
    with groups.compiled() as compiled:
        size = leaf_code.lib.ldcat_write_leaves(
            compiled,
            leaf_code.ffi.from_buffer("uint8_t[]", rows),
            count,
            data,
            room,
            leaf_code.words(starts),
            leaf_code.words(sizes),
        )
    if size == leaf_code.FAILED:
        raise ValueError("a row has no group")
    return Entries(memoryview(leaf_code.ffi.buffer(data, size)), starts, sizes)


def sort_rows(groups: LeafGroups, rows: Rows) -> tuple[Rows, Sequence[int]]:
    """The rows of each head, one head after the other, sorted as their leaves; and how many rows each head has.

    It is stable, and takes linear time where the rows of each head are sorted already.
    """
    if leaf_code.lib is None:
        counts = [0] * groups.heads
        keyed = []
        for at, row in enumerate(unpack_rows(rows)):
            head = groups[row.group].head
            counts[head] += 1
            keyed.append((head, row.leaf(groups), rows[ROW * at : ROW * (at + 1)]))
        keyed.sort(key=lambda each: each[:2])
        return b"".join(row for _, _, row in keyed), counts
    out, found = bytearray(len(rows)), array("Q", bytes(8 * groups.heads))
    with groups.compiled() as compiled:
        done = leaf_code.lib.ldcat_sort_packed_rows(
            compiled,
            leaf_code.ffi.from_buffer("uint8_t[]", rows),
            len(rows) // ROW,
            leaf_code.writable(out),
            leaf_code.ffi.from_buffer("uint64_t[]", found),
        )
    if not done:
        raise MemoryError
    return out, found


def unknown_rows(rows: bytearray) -> Rows:
    """Of sorted rows: one of each run of equal ones, none where one of them is known. They may be overwritten."""
    if leaf_code.lib:
        kept = leaf_code.lib.ldcat_unknown_rows(leaf_code.writable(rows), len(rows) // ROW)
        return memoryview(rows)[: ROW * kept]
    known: dict[tuple[bytes, int, int], bool] = {}
    for digest, group, bits in _ROW.iter_unpack(rows):
        key = digest, group, bits & ~KNOWN
        known[key] = known.get(key, False) or bits >= KNOWN
    return b"".join(_ROW.pack(*key) for key, is_known in known.items() if not is_known)


def rows_with(rows: Rows, digests: Sequence[bytes], slots: Iterable[int]) -> array[int]:
    """Numbers of the rows that have one of some digests, or one of some slots.

    digests: sorted, with zeros behind those that are shorter than 48 bytes.
    """
    if leaf_code.lib is None:
        wanted, also = set(digests), set(slots)
        rows_of = enumerate(unpack_rows(rows))
        return array("I", [at for at, row in rows_of if row.digest.ljust(LARGEST, b"\0") in wanted or row.slot in also])
    bits = bytearray((MOST_SLOT >> 3) + 1)
    for slot in slots:
        bits[slot >> 3] |= 1 << (slot & 7)
    found = array("I", bytes(4 * (len(rows) // ROW)))
    count = leaf_code.lib.ldcat_rows_with(
        leaf_code.ffi.from_buffer("uint8_t[]", rows),
        len(rows) // ROW,
        leaf_code.ffi.from_buffer("uint8_t[]", b"".join(digests)),
        len(digests),
        leaf_code.ffi.from_buffer("uint8_t[]", bits),
        leaf_code.words(found),
    )
    return found[:count]


def groups_of(rows: Rows) -> list[int]:
    """The number of the group of each row."""
    return memoryview(rows).cast("B").cast("I")[LARGEST // 4 :: ROW // 4].tolist()
