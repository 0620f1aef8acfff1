"""Entries: leaves next to each other, in one piece of memory; and their hashes, many at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from catalog.transparency.merkle import leaf_hash


@dataclass(frozen=True, slots=True)
class Entries:
    """Leaves next to each other.

    data: memory that has all of them.
    starts: offset of each one in it, in bytes.
    sizes: bytes of each one.
    """

    data: bytes
    starts: array[int]
    sizes: array[int]

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> Entries:
        """From leaves that are apart."""
        kept = list(leaves)
        sizes = array("I", map(len, kept))
        return cls(b"".join(kept), array("I", list(accumulate(sizes, initial=0))[:-1]), sizes)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, at: int) -> bytes:
        start = self.starts[at]
        return self.data[start : start + self.sizes[at]]

    def __iter__(self) -> Iterator[bytes]:
        return map(self.__getitem__, range(len(self)))

    def part(self, first: int, end: int) -> Entries:
        """The leaves `first`, ..., `end - 1`, in the same memory."""
        return Entries(self.data, self.starts[first:end], self.sizes[first:end])

    def hashes(self) -> bytes:
        """The Merkle leaf hash of each leaf, 32 bytes, one after the other."""
        return b"".join(map(leaf_hash, self))
