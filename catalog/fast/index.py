"""The packed index of a technology's launch digests: its layout, and the search for one digest.

docs/index.md describes the file byte by byte. The first bits of a digest choose a bucket; the entries of the bucket
hold the next bits and the ordinal of the row, which gives the configuration. Entries are in the order of the Parquet
rows, so the place of an entry gives the place of the whole digest, which is always compared before an answer.
"""

from __future__ import annotations

from struct import Struct, unpack

from catalog.fast.verity import DamagedBlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.fast.index_layout import Layout
    from catalog.fast.verity import Reader

    Row = tuple[int | None, int | None, int | None]
    """vCPU signature, sev_features and vCPU count; None: not measured."""

MAGIC = b"LDCATIDX"
VERSION = 1
HEADER = Struct("<8sIIQIIIIQQQQQQQQQQ16s")
"""magic, version, digest size, rows, bits of a bucket's number, bits of an ordinal, bytes of an entry, distinguished
bits, groups, offsets of groups, lists, parts, pages, buckets and entries, parts, chain length, size, technology."""

GROUP = Struct("<QIIIIII")
PART = Struct("<QQ")
NONE = 0xFFFFFFFF  # in place of a component's number: the group has no such component

ROW_GROUP = 1 << 16
"""Rows of a row group in the Parquet files; the digests of a row group are one page."""

MAX_DISTINGUISHED_BITS = 16
"""Most zero bits at the end of a kept digest: then 65,536 steps lead to it on average."""

_MOST_GROUPS = 1 << 16  # that stay in memory: about 22 MiB

MAX_BUCKET = 1 << 20  # entries at most: far above what uniformly distributed digests give; limits what is read


class Group:
    """Sweeps that differ in VMSA and vCPU count only: every signature, with every sev_features, with every count.

    first: ordinal of its first row.
    firmware, kernel_hashes, vmm: numbers of the components; None: not measured.
    signatures, features, counts: the values, in order; empty: not measured.
    chain_length: of distinguished digests: ordinals of each sweep, one for every vCPU count from 1 on; else 0.
    steps, rows: number of ordinals of each sweep, and of all. end: ordinal after its last row.
    """

    __slots__ = (
        "chain_length",
        "counts",
        "end",
        "features",
        "firmware",
        "first",
        "kernel_hashes",
        "rows",
        "signatures",
        "steps",
        "vmm",
    )

    def __init__(
        self,
        *,
        first: int,
        firmware: int,
        kernel_hashes: int | None,
        vmm: int | None,
        signatures: tuple[int, ...],
        features: tuple[int, ...],
        counts: tuple[int, ...],
        chain_length: int = 0,
    ) -> None:
        self.chain_length = chain_length
        self.first = first
        self.firmware = firmware
        self.kernel_hashes = kernel_hashes
        self.vmm = vmm
        self.signatures = signatures
        self.features = features
        self.counts = counts
        self.steps = chain_length or len(counts) or 1
        self.rows = (len(signatures) or 1) * (len(features) or 1) * self.steps
        self.end = first + self.rows

    def at(self, ordinal: int) -> Row:
        """vCPU signature, sev_features and vCPU count of the row with this ordinal."""
        offset, steps, features = ordinal - self.first, self.steps, self.features
        rest, step = offset // steps, offset % steps
        among = len(features) or 1
        count = self.counts[step] if self.counts and not self.chain_length else None
        return (
            self.signatures[rest // among] if self.signatures else None,
            features[rest % among] if features else None,
            step + 1 if self.chain_length else count,
        )


class Index:
    """An open index. Every method raises DamagedBlock if the file is not an index of this version or is inconsistent.

    pages: called with number of a part, offset and size in bytes; gives verified bytes of the part's Parquet file.
    find: ordinals of the rows that have a digest, ascending. group_of: the group that has the row with an ordinal. Both
    are the methods of these names with `_in_python`, or those of compiled/compiled_find.py. groups_read: by number.
    """

    def __init__(self, file: Reader, pages: Callable[[int, int, int], bytes]) -> None:
        self._file = file
        self._pages = pages
        size = file.size
        if size < HEADER.size:
            raise DamagedBlock("the index ends in its header")
        fields = HEADER.unpack(file.read(0, HEADER.size, keep=True))
        magic, version, self.digest_size, self.rows = fields[:4]
        self._bucket_bits, self.ordinal_bits, self._entry_size, self.distinguished_bits = fields[4:8]
        self._groups, *offsets, self.parts, self.chain_length, end = fields[8:18]
        self._group_at, self._list_at, self._part_at, self._page_at, self._bucket_at, self._entry_at = offsets
        self.technology = fields[18].rstrip(b"\0").decode("ascii", "replace")
        self._digest_bits = 8 * self._entry_size - self.ordinal_bits
        sound = (
            (magic, version, end) == (MAGIC, VERSION, size)
            and 1 <= self._entry_size <= 8
            and self.ordinal_bits >= 1
            and self._digest_bits >= 1
            and self._bucket_bits + self._digest_bits <= 64
            and offsets == sorted(offsets)
            and self._list_at - self._group_at == GROUP.size * self._groups
            and self._page_at - self._part_at == PART.size * self.parts
            and self._entry_at - self._bucket_at == 8 * ((1 << self._bucket_bits) + 1)
            and size - self._entry_at == self._entry_size * self.rows
            and (not self.rows or (self._groups and (self.parts or self.distinguished_bits)))
            and bool(self.chain_length) == bool(self.distinguished_bits)
            and self.distinguished_bits <= MAX_DISTINGUISHED_BITS
        )
        if not sound:
            raise DamagedBlock("the header of the index is invalid or of another version")
        self._part_table: list[tuple[int, int]] = []
        self._page_offsets: tuple[int, ...] = ()
        self._group_firsts: dict[int, int] = {}
        self.groups_read: dict[int, Group] = {}
        self._lists_read: dict[int, tuple[int, ...]] = {}
        self.find: Callable[[bytes], list[int]] = self.find_in_python
        self.group_of: Callable[[int], Group] = self.group_of_in_python

    def find_in_python(self, digest: bytes) -> list[int]:
        """Ordinals of the rows that have this digest, ascending."""
        if len(digest) != self.digest_size or not self.rows:
            return []
        key = int.from_bytes(digest[:8], "big") >> (64 - self._bucket_bits - self._digest_bits)
        wanted = key & ((1 << self._digest_bits) - 1)
        first, entries = self._bucket(key >> self._digest_bits)
        size, shift = self._entry_size, self.ordinal_bits
        least = (wanted << shift).to_bytes(size, "big")
        low, high = 0, len(entries) // size
        while low < high:
            middle = (low + high) // 2
            if entries[middle * size : (middle + 1) * size] < least:
                low = middle + 1
            else:
                high = middle
        found = []
        for row, at in enumerate(range(low * size, len(entries), size), first + low):
            entry = int.from_bytes(entries[at : at + size], "big")
            if entry >> shift != wanted:
                break
            if self.distinguished_bits or self._digest_of(row) == digest:
                found.append(entry & ((1 << shift) - 1))
        return found

    def group_of_in_python(self, ordinal: int) -> Group:
        """The group that has the row with this ordinal."""
        low, high = 0, self._groups
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._first_of(middle) <= ordinal else (low, middle)
        group = self.group(low)
        if not group.first <= ordinal < group.end:
            raise DamagedBlock("the index has a row that is in none of its groups")
        return group

    def pages(self) -> Iterator[tuple[bytes, bytes]]:
        """The digests and the entries of each row group, in order."""
        firsts = [*(first for first, _ in self._all_parts()), self.rows]
        for part, first in enumerate(firsts[:-1]):
            end = firsts[part + 1]
            for row in range(first, end, ROW_GROUP):
                count = min(ROW_GROUP, end - row)
                entries = self._file.read(self._entry_at + self._entry_size * row, self._entry_size * count)
                yield self._pages(part, self.page_of(row)[1], self.digest_size * count), entries

    def layout(self) -> Layout:
        """The layout, for a search of many digests."""
        from catalog.fast.index_layout import Layout

        firsts = [first for first, _ in self._all_parts()]
        pages = [page for _, page in self._all_parts()]
        return Layout(
            self._bucket_at, self._bucket_bits, self._entry_at, self._entry_size, firsts, pages, self._page_offsets
        )

    def groups(self) -> Iterator[Group]:
        """All groups, in the order of their ordinals."""
        return map(self.group, range(self._groups))

    def firsts(self) -> list[int]:
        """The ordinal of the first row of each group."""
        table = self._file.read(self._group_at, GROUP.size * self._groups)
        return [fields[0] for fields in GROUP.iter_unpack(table)]

    def page_of(self, row: int) -> tuple[int, int]:
        """The part of a row, and the offset of its digest in the part's file. row: number in the order of digests."""
        parts = self._all_parts()
        low, high = 0, self.parts
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if parts[middle][0] <= row else (low, middle)
        first, first_page = parts[low]
        page, within = divmod(row - first, ROW_GROUP)
        if not 0 <= first_page + page < len(self._page_offsets):
            raise DamagedBlock("the index has a row that is in none of its pages")
        return low, self._page_offsets[first_page + page] + self.digest_size * within

    def _all_parts(self) -> list[tuple[int, int]]:
        """First row and first page of each part. The offsets of all pages are read with them."""
        if not self._part_table:
            table = list(PART.iter_unpack(self._file.read(self._part_at, PART.size * self.parts)))
            pages = (self._bucket_at - self._page_at) // 8
            ends = [*(first for first, _ in table[1:]), self.rows]
            page = 0
            for (first, first_page), end in zip(table, ends, strict=False):
                if not (0 <= first <= end <= self.rows and first_page == page) or (page == 0 and first != 0):
                    raise DamagedBlock("the index has invalid parts")
                page += -(-(end - first) // ROW_GROUP)
            if page != pages:
                raise DamagedBlock("the index has invalid pages")
            self._page_offsets = unpack(f"<{pages}Q", self._file.read(self._page_at, 8 * pages))
            self._part_table = table  # last: another thread may read it
        return self._part_table

    def _bucket(self, number: int) -> tuple[int, bytes]:
        first, end = unpack("<QQ", self._file.read(self._bucket_at + 8 * number, 16, keep=True))
        if not first <= end <= self.rows or end - first > MAX_BUCKET:
            raise DamagedBlock("the index has an invalid bucket")
        size = self._entry_size
        return first, self._file.read(self._entry_at + size * first, size * (end - first), keep=True)

    def _digest_of(self, row: int) -> bytes:
        part, offset = self.page_of(row)
        return self._pages(part, offset, self.digest_size)

    def _first_of(self, number: int) -> int:
        first = self._group_firsts.get(number)
        if first is None:
            (first,) = unpack("<Q", self._file.read(self._group_at + GROUP.size * number, 8, keep=True))
            self._group_firsts[number] = first
        return first

    def group(self, number: int) -> Group:
        """A group by its number."""
        group = self.groups_read.get(number)
        if group is None:
            if len(self.groups_read) >= _MOST_GROUPS:
                self.groups_read.clear()
            group = self.groups_read[number] = self._read_group(number)
        return group

    def _read_group(self, number: int) -> Group:
        fields = GROUP.unpack(self._file.read(self._group_at + GROUP.size * number, GROUP.size, keep=True))
        first, firmware, kernel_hashes, vmm, *lists = fields
        signatures, features, counts = map(self._list, lists)
        return Group(
            first=first,
            firmware=firmware,
            kernel_hashes=None if kernel_hashes == NONE else kernel_hashes,
            vmm=None if vmm == NONE else vmm,
            signatures=signatures,
            features=features,
            counts=counts,
            chain_length=self.chain_length,
        )

    def _list(self, word: int) -> tuple[int, ...]:
        """The list at a word, which many groups share."""
        known = self._lists_read.get(word)
        if known is None:
            known = self._lists_read[word] = self._read_list(word)
        return known

    def _read_list(self, word: int) -> tuple[int, ...]:
        (count,) = unpack("<Q", self._file.read(self._list_at + 8 * word, 8, keep=True))
        if count > (self._part_at - self._list_at) // 8:
            raise DamagedBlock("the index has an invalid list")
        return unpack(f"<{count}Q", self._file.read(self._list_at + 8 * (word + 1), 8 * count, keep=True))
