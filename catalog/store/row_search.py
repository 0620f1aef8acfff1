"""Search for many digests in one Parquet part, with its index: in compiled code (rows.c), or in pure Python."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from catalog.fast.index import ROW_GROUP
from catalog.fast.index_layout import Layout
from catalog.fast.verity import DamagedBlock
from catalog.store import row_records
from catalog.store.row_records import first_bits


@dataclass(frozen=True, slots=True)
class Searched:
    """One Parquet part and the index over it.

    part: the bytes of the part.
    number: of the part: the first `bits` bits of its digests.
    pages: offset in the part where the digests of each row group begin.
    first_row, rows: number of its first row in the order of digests, and how many rows it has.
    """

    index: bytes
    layout: Layout
    ordinal_bits: int
    part: bytes | memoryview
    number: int
    bits: int
    pages: array[int]
    first_row: int
    rows: int
    digest_size: int


def find_rows(digests: bytes, searched: Searched, found: array[int], times: array[int]) -> None:
    """Search for digests in this part. Raises DamagedBlock if the index is damaged.

    digests: the digests, one after the other.
    found, times: filled for each digest in this part: ordinal of its first row, and number of its rows. Others stay as
    they are.
    """
    count = len(digests) // searched.digest_size
    if row_records.lib is None:
        _find_in_python(digests, searched, found, times)
        return
    index = memoryview(searched.index)
    damaged = row_records.lib.ldcat_find_rows(
        row_records.ffi.from_buffer("uint8_t[]", digests),
        count,
        searched.digest_size,
        row_records.ffi.from_buffer("uint8_t[]", index[searched.layout.bucket_at :]),
        searched.layout.bucket_bits,
        row_records.ffi.from_buffer("uint8_t[]", index[searched.layout.entry_at :]),
        searched.layout.entry_size,
        searched.ordinal_bits,
        row_records.ffi.from_buffer("uint8_t[]", searched.part),
        len(searched.part),
        searched.bits,
        searched.number,
        row_records.ffi.from_buffer("uint64_t[]", searched.pages),
        len(searched.pages),
        ROW_GROUP.bit_length() - 1,
        searched.first_row,
        searched.rows,
        row_records.ffi.from_buffer("uint64_t[]", found, require_writable=True),
        row_records.ffi.from_buffer("uint32_t[]", times, require_writable=True),
    )
    if damaged:
        raise DamagedBlock("the index has an invalid bucket or page")


def _find_in_python(digests: bytes, searched: Searched, found: array[int], times: array[int]) -> None:
    """By binary search over the sorted digests of the part, without the buckets of the index."""
    size = searched.digest_size

    def digest_at(row: int) -> bytes:
        page, within = divmod(row, ROW_GROUP)
        start = searched.pages[page] + size * within
        return bytes(searched.part[start : start + size])

    for number in range(len(times)):
        digest = digests[number * size : (number + 1) * size]
        if first_bits(digest, searched.bits) != searched.number:
            continue
        low = bisect_left(range(searched.rows), digest, key=digest_at)
        high = bisect_right(range(searched.rows), digest, lo=low, key=digest_at)
        if low < high:
            entry_at = searched.layout.entry_at + searched.layout.entry_size * (searched.first_row + low)
            entry = int.from_bytes(searched.index[entry_at : entry_at + searched.layout.entry_size], "big")
            found[number], times[number] = entry & ((1 << searched.ordinal_bits) - 1), high - low
