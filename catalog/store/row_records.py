"""Rows before they are written: records are split by their first bits, sorted, and taken apart into columns.

A record is a launch digest, the number of its sweep and the number of its step in that sweep, both u32
big-endian: records sort as bytes, and records with equal digests by sweep and step. There is compiled code (rows.c)
and pure Python, with the same result.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap

try:
    from catalog.store._rows import ffi, lib
except ImportError:
    ffi = lib = None

__all__ = [
    "NONE",
    "NUMBERS_SIZE",
    "Batch",
    "Buffer",
    "Columns",
    "Keying",
    "ffi",
    "first_bits",
    "lib",
    "renumbered",
    "sorted_columns",
    "split",
    "with_zero_bits",
]

Buffer = bytes | bytearray | memoryview | mmap

NONE = 0xFFFFFFFF
"""Sentinel in place of a sweep's number: this sweep was dropped."""

NUMBERS_SIZE = 8
"""Bytes of a record after the digest: two u32."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The digests of some sweeps with the same number of steps.

    digests: one after the other, sweep by sweep.
    digest_size: bytes of a digest.
    sweeps: numbers of the sweeps.
    """

    digests: Buffer
    digest_size: int
    sweeps: Sequence[int]

    @property
    def steps(self) -> int:
        return len(self.digests) // self.digest_size // len(self.sweeps)


@dataclass(frozen=True, slots=True)
class Keying:
    """How an index packs a row: see docs/index.md.

    starts: ordinal of the first row of each sweep.
    bucket_bits: number of first bits of a digest that choose its bucket.
    ordinal_bits: bits of the ordinal at the end of an entry.
    entry_size: bytes of an entry.
    """

    starts: array[int]
    bucket_bits: int
    ordinal_bits: int
    entry_size: int

    @property
    def digest_bits(self) -> int:
        """Number of bits of the digest in an entry: those after the bits of its bucket."""
        return 8 * self.entry_size - self.ordinal_bits


@dataclass(frozen=True, slots=True)
class Columns:
    """Sorted rows by column.

    digests: one after the other.
    sweeps, steps: number of each row's sweep, and of its step in it.
    entries: those of the index, one after the other.
    buckets: number of rows of each bucket of the shard, in order.
    """

    digests: bytearray
    sweeps: array[int]
    steps: array[int]
    entries: bytearray
    buckets: array[int]


def split(batches: Sequence[Batch], bits: int) -> list[Buffer]:
    """The records of all batches by shard. A shard has the digests whose first `bits` bits are its number."""
    if lib is None:
        return _split_in_python(batches, bits)
    counts = ffi.new("uint64_t[]", 1 << bits)
    for batch in batches:
        rows = len(batch.digests) // batch.digest_size
        lib.ldcat_count_shards(ffi.from_buffer("uint8_t[]", batch.digests), rows, batch.digest_size, bits, counts)
    starts = [0, *itertools.accumulate(counts)]
    record_size = batches[0].digest_size + NUMBERS_SIZE
    cursors = ffi.new("uint64_t[]", starts[:-1])
    out = bytearray(record_size * starts[-1])
    for batch in batches:
        lib.ldcat_scatter_rows(
            ffi.from_buffer("uint8_t[]", batch.digests),
            batch.digest_size,
            ffi.from_buffer("uint32_t[]", array("I", batch.sweeps)),
            len(batch.sweeps),
            ffi.from_buffer("uint32_t[]", array("I", range(batch.steps))),
            batch.steps,
            bits,
            cursors,
            ffi.from_buffer("uint8_t[]", out, require_writable=True),
        )
    view = memoryview(out)
    return [view[record_size * low : record_size * high] for low, high in itertools.pairwise(starts)]


def sorted_columns(records: Buffer, digest_size: int, keying: Keying, *, shard: int, bits: int) -> Columns:
    """The records of one shard, sorted, by column. bits: of the shard's number."""
    rows = len(records) // (digest_size + NUMBERS_SIZE)
    buckets_each = 1 << (keying.bucket_bits - bits)
    made = Columns(
        digests=bytearray(digest_size * rows),
        sweeps=array("I", bytes(4 * rows)),
        steps=array("I", bytes(4 * rows)),
        entries=bytearray(keying.entry_size * rows),
        buckets=array("Q", bytes(8 * buckets_each)),
    )
    first_bucket = shard * buckets_each
    if lib is None:
        _sort_in_python(records, digest_size, keying, first_bucket, made)
        return made
    done = lib.ldcat_sorted_columns(
        ffi.from_buffer("uint8_t[]", records),
        rows,
        digest_size,
        bits,
        ffi.from_buffer("uint64_t[]", keying.starts),
        keying.bucket_bits,
        keying.ordinal_bits,
        keying.entry_size,
        first_bucket,
        ffi.from_buffer("uint8_t[]", made.digests, require_writable=True),
        ffi.from_buffer("uint32_t[]", made.sweeps, require_writable=True),
        ffi.from_buffer("uint32_t[]", made.steps, require_writable=True),
        ffi.from_buffer("uint8_t[]", made.entries, require_writable=True),
        ffi.from_buffer("uint64_t[]", made.buckets, require_writable=True),
    )
    if not done:
        raise MemoryError
    return made


def renumbered(
    digests: bytes,
    entries: bytes,
    *,
    digest_size: int,
    ordinal_bits: int,
    starts: array[int],
    sweeps: array[int],
) -> bytes | memoryview:
    """The records of sorted rows of an index, with new numbers of their sweeps, without the rows of dropped sweeps.

    digests, entries: of the rows, one after the other.
    starts: ordinal of the first row of each old sweep, ascending.
    sweeps: the new number of each old sweep, or NONE.
    """
    count = len(digests) // digest_size
    entry_size = len(entries) // count
    if lib is None:
        return _renumber_in_python(digests, entries, digest_size, entry_size, ordinal_bits, starts, sweeps)
    out = bytearray((digest_size + NUMBERS_SIZE) * count)
    kept = lib.ldcat_renumber_rows(
        ffi.from_buffer("uint8_t[]", digests),
        count,
        digest_size,
        ffi.from_buffer("uint8_t[]", entries),
        entry_size,
        ordinal_bits,
        ffi.from_buffer("uint64_t[]", starts),
        ffi.from_buffer("uint32_t[]", sweeps),
        len(sweeps),
        ffi.from_buffer("uint8_t[]", out, require_writable=True),
    )
    return memoryview(out)[: (digest_size + NUMBERS_SIZE) * kept]


def with_zero_bits(digests: bytes, digest_size: int, bits: int) -> list[int]:
    """Which of the digests, given one after the other, end with `bits` zero bits; bits: 1 to 64."""
    count = len(digests) // digest_size
    if lib is None:
        ends = (digests[at - 8 : at] for at in range(digest_size, len(digests) + 1, digest_size))
        return [number for number, end in enumerate(ends) if not int.from_bytes(end, "big") & ((1 << bits) - 1)]
    out = array("I", bytes(4 * count))
    numbers = ffi.from_buffer("uint32_t[]", out, require_writable=True)
    found = lib.ldcat_with_zero_bits(ffi.from_buffer("uint8_t[]", digests), count, digest_size, bits, numbers)
    return list(out[:found])


def first_bits(digest: bytes | bytearray | memoryview, bits: int) -> int:
    """The first `bits` bits of a digest, 0 to 64, as a number."""
    return int.from_bytes(digest[:8], "big") >> (64 - bits)


def _split_in_python(batches: Sequence[Batch], bits: int) -> list[Buffer]:
    shards: list[list[bytes]] = [[] for _ in range(1 << bits)]
    for batch in batches:
        numbers = ((sweep, step) for sweep in batch.sweeps for step in range(batch.steps))
        for row, (sweep, step) in enumerate(numbers):
            digest = batch.digests[row * batch.digest_size : (row + 1) * batch.digest_size]
            shards[first_bits(digest, bits)].append(bytes(digest) + (sweep << 32 | step).to_bytes(NUMBERS_SIZE, "big"))
    return [b"".join(records) for records in shards]


def _renumber_in_python(
    digests: bytes,
    entries: bytes,
    digest_size: int,
    entry_size: int,
    ordinal_bits: int,
    starts: array[int],
    sweeps: array[int],
) -> bytes:
    records = []
    for row in range(len(digests) // digest_size):
        entry = int.from_bytes(entries[row * entry_size : (row + 1) * entry_size], "big")
        ordinal = entry & ((1 << ordinal_bits) - 1)
        sweep = bisect_right(starts, ordinal) - 1
        if sweeps[sweep] != NONE:
            numbers = sweeps[sweep] << 32 | ordinal - starts[sweep]
            records.append(digests[row * digest_size : (row + 1) * digest_size] + numbers.to_bytes(NUMBERS_SIZE, "big"))
    return b"".join(records)


def _sort_in_python(records: Buffer, digest_size: int, keying: Keying, first_bucket: int, made: Columns) -> None:
    kept, size = (1 << 8 * keying.entry_size) - 1, keying.entry_size
    record_size = digest_size + NUMBERS_SIZE
    ordered = sorted(bytes(records[at : at + record_size]) for at in range(0, len(records), record_size))
    for row, record in enumerate(ordered):
        made.digests[row * digest_size : (row + 1) * digest_size] = record[:digest_size]
        sweep, step = divmod(int.from_bytes(record[digest_size:], "big"), 1 << 32)
        made.sweeps[row], made.steps[row] = sweep, step
        prefix = first_bits(record, keying.bucket_bits + keying.digest_bits)
        entry = (prefix << keying.ordinal_bits | keying.starts[sweep] + step) & kept
        made.entries[row * size : (row + 1) * size] = entry.to_bytes(size, "big")
        made.buckets[first_bits(record, keying.bucket_bits) - first_bucket] += 1
