"""Writes the packed index. Its size is known before its entries, so the parts may be written in any order."""

from __future__ import annotations

import itertools
import os
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from catalog.fast.index import GROUP, HEADER, MAGIC, NONE, PART, ROW_GROUP, VERSION, Group
from catalog.rows.launch_config import VcpuSweep
from catalog.store.component_names import Numbers
from catalog.store.row_records import Columns, Keying

BUCKET_ROWS = 128
"""Fewest rows of a bucket on average; the most is twice as many."""

_FINGERPRINT_BITS = 12
"""Fewest bits of the digest in an entry: one entry of 4096 in a bucket matches by chance."""


def choose_keying(row_count: int, starts: array[int], ordinals: int, shard_bits: int) -> Keying:
    """Buckets of 128 to 255 rows on average, and entries of whole bytes with an ordinal and 12 or more digest bits."""
    bucket_bits = max(shard_bits, (row_count // BUCKET_ROWS).bit_length() - 1, 0)
    return Keying(starts, bucket_bits, _ordinal_bits(ordinals), entry_bytes(ordinals))


def entry_bytes(ordinals: int) -> int:
    """Bytes of an entry, by the number of ordinals."""
    return -(-(_ordinal_bits(ordinals) + _FINGERPRINT_BITS) // 8)


def _ordinal_bits(ordinals: int) -> int:
    return max(1, (ordinals - 1).bit_length())


def group_sweeps(sweeps: Sequence[VcpuSweep], starts: Sequence[int], numbers: Numbers) -> Iterator[Group]:
    """Groups of sweeps that differ in vCPU signature and sev_features only, if they are a full product of these; other
    sweeps are groups of their own.
    """
    pairs = list(zip(sweeps, starts, strict=True))
    for _, same in itertools.groupby(pairs, key=lambda pair: _component_key(pair[0])):
        alike = list(same)
        signatures = tuple(dict.fromkeys(sweep.config.vcpu_signature for sweep, _ in alike))
        features = tuple(dict.fromkeys(sweep.config.sev_features for sweep, _ in alike))
        product = list(itertools.product(signatures, features))
        whole = product == [(sweep.config.vcpu_signature, sweep.config.sev_features) for sweep, _ in alike]
        if whole and all(sweep.vcpus is alike[0][0].vcpus for sweep, _ in alike):  # equal lists are one object
            runs = [alike]
        else:
            runs = [[pair] for pair in alike]
        for run in runs:
            first = run[0][0]
            yield Group(
                first=run[0][1],
                firmware=(numbers.bases if first.config.base else numbers.images)[first.config.key],
                kernel_hashes=numbers.tables[first.config.kernel_hashes.table_sha256]
                if first.config.kernel_hashes
                else None,
                vmm=numbers.profiles[first.config.vmm.name] if first.config.vmm else None,
                signatures=tuple(
                    dict.fromkeys(f.config.vcpu_signature.value for f, _ in run if f.config.vcpu_signature)
                ),
                features=tuple(
                    dict.fromkeys(f.config.sev_features for f, _ in run if f.config.sev_features is not None)
                ),
                counts=tuple(count for count in first.vcpus if count is not None),
            )


class IndexHead:
    """The beginning of the index of one technology, and the place of everything after it.

    shard_rows: rows of each shard, in order. Each shard is a Parquet part, if every digest is kept.
    distinguished_bits: zero bits at the end of the digests that are kept; 0: every digest is kept.
    chain_length: ordinals of each chain of distinguished digests, else 0.

    data: the header, the groups and what they refer to. The offsets of pages, the buckets and the entries follow.
    firsts: the first row of each shard, and the number of all rows.
    """

    def __init__(
        self,
        technology: str,
        digest_size: int,
        keying: Keying,
        groups: Sequence[Group],
        shard_rows: Sequence[int],
        *,
        distinguished_bits: int = 0,
        chain_length: int = 0,
    ) -> None:
        self.firsts = [0, *itertools.accumulate(shard_rows)]
        part_rows = [] if distinguished_bits else shard_rows
        self.pages = [0, *itertools.accumulate(-(-rows // ROW_GROUP) for rows in part_rows)]
        packed, lists = _pack_groups(groups)
        parts = b"".join(map(PART.pack, self.firsts, self.pages[:-1]))
        sizes = [len(packed), len(lists), len(parts), 8 * self.pages[-1], 8 * ((1 << keying.bucket_bits) + 1)]
        offsets = list(itertools.accumulate(sizes, initial=HEADER.size))
        self.page_at, self.bucket_at, self.entry_at = offsets[3:]
        rows = self.firsts[-1]
        self.size = self.entry_at + keying.entry_size * rows
        bits = (keying.bucket_bits, keying.ordinal_bits, keying.entry_size, distinguished_bits)
        last = (len(part_rows), chain_length, self.size, technology.encode("ascii"))
        header = HEADER.pack(MAGIC, VERSION, digest_size, rows, *bits, len(groups), *offsets, *last)
        self.data = header + packed + lists + parts


class IndexWriter:
    """Writes the index of one technology: its shards in any order. keying: that of the head."""

    def __init__(self, path: Path, head: IndexHead, keying: Keying) -> None:
        self._head = head
        self._keying = keying
        path.write_bytes(head.data)
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        os.truncate(self._file, head.size)
        self._write(packed_rows([head.firsts[-1]]), head.entry_at - 8)

    def add(self, shard: int, columns: Columns, page_offsets: Sequence[int]) -> None:
        """Write one shard: its entries, its buckets, and the offsets of its pages of digests in the Parquet file."""
        head, first = self._head, self._head.firsts[shard]
        self._write(packed_buckets(columns, first), head.bucket_at + 8 * shard * len(columns.buckets))
        if page_offsets:
            self._write(packed_rows(page_offsets), head.page_at + 8 * head.pages[shard])
        self._write(columns.entries, head.entry_at + self._keying.entry_size * first)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, data: bytes | bytearray, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, offset)
            view, offset = view[written:], offset + written


def packed_buckets(columns: Columns, first: int) -> bytes:
    """The buckets of a shard as an index has them: the first row of each. first: row of the shard."""
    return packed_rows(itertools.accumulate(columns.buckets[:-1], initial=first))


def packed_rows(values: Iterable[int]) -> bytes:
    """Numbers of rows, or offsets, as an index has them: u64, little-endian."""
    numbers = list(values)
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def _component_key(sweep: VcpuSweep) -> tuple[bool, bytes, bytes, str]:
    config = sweep.config
    table = config.kernel_hashes.table_sha256 if config.kernel_hashes else b""
    return config.base is None, config.key, table, config.vmm.name if config.vmm else ""


def _pack_groups(groups: Sequence[Group]) -> tuple[bytes, bytes]:
    """The packed groups, and the lists that they share: count and values, each u64."""
    words: list[int] = []
    places: dict[tuple[int, ...], int] = {}
    packed = []
    for group in groups:
        for values in (group.signatures, group.features, group.counts):
            if values not in places:
                places[values] = len(words)
                words += [len(values), *values]
        numbers = (NONE if n is None else n for n in (group.firmware, group.kernel_hashes, group.vmm))
        lists = (places[values] for values in (group.signatures, group.features, group.counts))
        packed.append(GROUP.pack(group.first, *numbers, *lists))
    return b"".join(packed), packed_rows(words)
