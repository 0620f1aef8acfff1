"""Entries: leaves next to each other, in one piece of memory; and their hashes, many at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from catalog.launch.hashing.tree_hashes import leaf_hashes
from catalog.log.leaves import leaf_code
from catalog.transparency.tiles import ENTRY_AT, WIDTH, Bundle, TileReader, format_bundle


@dataclass(frozen=True, slots=True)
class Entries:
    """Leaves next to each other.

    data: memory that has all of them, and other bytes between them.
    starts: offset of each one in it, u32 in bytes.
    sizes: bytes of each one, u32.
    """

    data: bytes | bytearray | memoryview
    starts: array[int]
    sizes: array[int]

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> Entries:
        """From leaves that are apart; each follows its length, as in a bundle. Raises as format_bundle."""
        kept = list(leaves)
        sizes = array("I", map(len, kept))
        ends = accumulate((ENTRY_AT + size for size in sizes), initial=ENTRY_AT)
        return cls(format_bundle(kept), array("I", list(ends)[:-1]), sizes)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, at: int) -> bytes:
        start = self.starts[at]
        return bytes(self.data[start : start + self.sizes[at]])

    def __iter__(self) -> Iterator[bytes]:
        return map(self.__getitem__, range(len(self)))

    def part(self, first: int, end: int) -> Entries:
        """The leaves `first`, ..., `end - 1`, in the same memory."""
        return Entries(self.data, self.starts[first:end], self.sizes[first:end])

    def hashes(self) -> bytes:
        """The Merkle leaf hash of each leaf, 32 bytes, one after the other."""
        return leaf_hashes(self.data, self.starts, self.sizes)

    def ascend(self) -> bool:
        """Whether each leaf is after the one before, in the order of bytes."""
        if leaf_code.lib is None:
            return all(before < after for before, after in pairwise(self))
        data = leaf_code.ffi.from_buffer("uint8_t[]", self.data)
        starts, sizes = leaf_code.words(self.starts), leaf_code.words(self.sizes)
        return bool(leaf_code.lib.ldcat_leaves_ascend(data, len(self.data), starts, sizes, len(self)))


class Gathering:
    """Entries of bundles one after the other, as they are read. begun: those that were read before.

    size: bytes of them.
    """

    def __init__(self, reader: TileReader, begun: Entries | None) -> None:
        self.size = len(begun.data) if begun else 0
        self._reader = reader
        self._data = [begun.data] if begun else []
        self._starts, self._sizes = (begun.starts, begun.sizes) if begun else (array("I"), array("I"))

    def add(self, number: int) -> None:
        """Read a bundle. Raises as TileReader.entries, and then adds nothing."""
        bundle = self._reader.bundle(number)
        starts, sizes = _split(self._reader, bundle, self.size)
        self._starts.extend(starts[: bundle.width])
        self._sizes.extend(sizes[: bundle.width])
        self._data.append(bundle.data)
        self.size += len(bundle.data)

    def entries(self) -> Entries:
        """What was read."""
        data = self._data[0] if len(self._data) == 1 else b"".join(self._data)
        return Entries(data, self._starts, self._sizes)


def _split(reader: TileReader, bundle: Bundle, base: int) -> tuple[array[int], array[int]]:
    """Where the entries of a bundle begin, if it begins at `base`, and their sizes. Raises as TileReader.entries_of."""
    starts, sizes = array("I", bytes(4 * WIDTH)), array("I", bytes(4 * WIDTH))
    if leaf_code.lib:
        data = leaf_code.ffi.from_buffer("uint8_t[]", bundle.data)
        memory = leaf_code.words(starts), leaf_code.words(sizes)
        if leaf_code.lib.ldcat_split_bundle(data, len(bundle.data), base, WIDTH, *memory) == bundle.there:
            return starts, sizes
    sizes = array("I", map(len, reader.entries_of(bundle)))
    return array("I", accumulate((ENTRY_AT + size for size in sizes[:-1]), initial=base + ENTRY_AT)), sizes
