"""LeafBlock: rows next to each other in a log, as columns; and Leaf: any other leaf, by itself.

Rows that differ in digest and vCPU count only are a group; the text that they share is parsed and checked once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from catalog.errors import MalformedRecord
from catalog.log.leaves.entries import Entries
from catalog.log.leaves.row_text import LARGEST, NONE
from catalog.log.records import AnyRecord
from catalog.rows.digest_record import DigestRecord
from catalog.transparency.merkle import HASH_SIZE


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows that differ in digest and vCPU count only.

    first: the record of the first one of them; None if rows were not parsed.
    technology: name; it may be unknown to this version.
    digest_size: bytes of a digest: 32 or 48, whatever the technology.
    """

    first: DigestRecord | None
    technology: str
    digest_size: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf by itself: not a row, or a row in an unusual notation, which is parsed alone.

    index: in the log.
    text: its bytes.
    hashed: its leaf hash.
    record: None for a row if rows are not parsed.
    """

    index: int
    text: bytes
    hashed: bytes
    record: AnyRecord | None


@dataclass(frozen=True, slots=True)
class LeafBlock:
    """Rows next to each other.

    index: of the first one in the log.
    entries: their leaves.
    hashes: their leaf hashes, 32 bytes each.
    digests: launch digests, 48 bytes each; those of 32 bytes are followed by zeros.
    vcpus: vCPU counts, or NONE.
    groups: for each row the number of its group in the table.
    table: groups, also those of other blocks. Blocks one after the other mostly have the same one, which grows; it is
    bounded, so that a block after many distinct groups begins another one.
    """

    index: int
    entries: Entries
    hashes: bytes
    digests: bytes
    vcpus: array[int]
    groups: array[int]
    table: Sequence[RowGroup]

    def __len__(self) -> int:
        return len(self.groups)

    def group(self, at: int) -> RowGroup:
        """The group of a row. at: its place in the block, as everywhere here."""
        return self.table[self.groups[at]]

    def digest(self, at: int) -> bytes:
        """The launch digest of a row."""
        return self.digests[LARGEST * at : LARGEST * at + self.group(at).digest_size]

    def record(self, at: int) -> DigestRecord:
        """The record of a row. Raises MalformedRecord if rows are not parsed."""
        first, vcpus = self.group(at).first, self.vcpus[at]
        if first is None:
            raise MalformedRecord(f"entry {self.index + at} of the log was not parsed")
        return replace(first, launch_digest=self.digest(at).hex(), vcpus=None if vcpus == NONE else vcpus)

    def leaves(self) -> Iterator[Leaf]:
        """Yield the rows as leaves by themselves."""
        for at, text in enumerate(self.entries):
            record = self.record(at) if self.group(at).first else None
            yield Leaf(self.index + at, text, self.hashes[HASH_SIZE * at : HASH_SIZE * (at + 1)], record)

    def ascends(self) -> bool:
        """Whether each leaf is after the one before, in the order of bytes."""
        return self.entries.ascend()


LogPart = LeafBlock | Leaf
