"""Rows sorted by their group and their vCPU count: those of a group are a sweep, in the order of its chain."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from catalog.log.leaves import leaf_code
from catalog.log.leaves.row_text import LARGEST

Buffer = bytes | bytearray | memoryview
Numbers: TypeAlias = "array[int] | memoryview"


@dataclass(frozen=True, slots=True)
class SweepColumns:
    """The rows of a group, by vCPU count.

    number: of the group.
    vcpus: ascending counts, or NONE; a count is there several times if several rows have it.
    digests: of each row, one after the other.
    """

    number: int
    vcpus: array[int]
    digests: memoryview


def sorted_rows(digests: Buffer, vcpus: Numbers, groups: Numbers, sizes: Sequence[int]) -> Iterator[SweepColumns]:
    """Yield the rows of each group that has any. Rows of one group with equal counts keep their order.

    digests: 48 bytes each; vcpus: i32; groups: number of each row's group, u32: see LeafBlock.
    sizes: bytes of a digest by group.
    Raises ValueError for columns of different length, and for a group or count that cannot be.
    """
    count = len(groups)
    if len(vcpus) != count or len(digests) != LARGEST * count:
        raise ValueError("columns of different length")
    starts, counts, packed = (_sorted if leaf_code.lib else _sorted_in_python)(digests, vcpus, groups, sizes)
    at, view = 0, memoryview(packed)
    for number, size in enumerate(sizes):
        first, end = starts[number], starts[number + 1]
        if first < end:
            after = at + size * (end - first)
            yield SweepColumns(number, counts[first:end], view[at:after])
            at = after


def _sorted(
    digests: Buffer, vcpus: Numbers, groups: Numbers, sizes: Sequence[int]
) -> tuple[array[int], array[int], bytearray]:
    """The first row of each group, and of none; the counts; and the digests."""
    starts, counts = array("Q", bytes(8 * len(sizes) + 8)), array("i", bytes(4 * len(groups)))
    packed = bytearray(len(digests))
    done = leaf_code.lib.ldcat_sort_rows(
        len(groups),
        leaf_code.ffi.from_buffer("uint8_t[]", digests),
        leaf_code.signed(vcpus),
        leaf_code.words(groups),
        len(sizes),
        bytes(sizes),
        leaf_code.ffi.from_buffer("uint64_t[]", starts, require_writable=True),
        leaf_code.signed(counts),
        leaf_code.writable(packed),
    )
    if done == leaf_code.lib.LDCAT_NO_ROOM:
        raise MemoryError
    if done != leaf_code.lib.LDCAT_SORTED:
        raise ValueError(_NOT_ROWS)
    return starts, counts, packed


_NOT_ROWS = "a row is of no group, or has a vCPU count that no row has"


def _sorted_in_python(
    digests: Buffer, vcpus: Numbers, groups: Numbers, sizes: Sequence[int]
) -> tuple[array[int], array[int], bytearray]:
    rows = array("Q", bytes(8 * len(sizes)))
    for number, count in zip(groups, vcpus, strict=True):
        if number >= len(sizes) or not -1 <= count < 1 << 16:
            raise ValueError(_NOT_ROWS)
        rows[number] += 1
    order = sorted(range(len(groups)), key=lambda row: (groups[row], vcpus[row]))
    packed = b"".join(digests[LARGEST * row : LARGEST * row + sizes[groups[row]]] for row in order)
    return array("Q", accumulate(rows, initial=0)), array("i", (vcpus[row] for row in order)), bytearray(packed)
