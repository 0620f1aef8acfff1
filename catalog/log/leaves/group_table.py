"""GroupTable: the groups of rows that were seen, by the text that their leaves have in common."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from catalog.log.leaves.entries import Entries
from catalog.log.leaves.leaf_block import RowGroup
from catalog.log.leaves.row_text import LARGEST, RowText, take_apart

MOST_GROUPS = 1 << 14
"""Groups of a table: many times those of one firmware image and kernel, whose rows are next to each other."""

_MOST_TEXT = 16 << 20
"""Bytes: most text of the groups of a table, beside its last one; a hostile log may have long ones."""

_Key = tuple[tuple[bytes, bytes, bytes], int]


@dataclass(frozen=True, slots=True)
class Columns:
    """Room for rows. digests: 48 bytes each; see LeafBlock."""

    digests: bytearray
    vcpus: array[int]
    groups: array[int]

    @classmethod
    def of(cls, rows: int) -> Columns:
        """Room for so many rows."""
        return cls(bytearray(LARGEST * rows), array("i", bytes(4 * rows)), array("I", bytes(4 * rows)))


class GroupTable:
    """Groups by their text: what `take_apart` calls the rest, and the size of the digest. It has a limited size."""

    def __init__(self) -> None:
        self.groups: list[RowGroup] = []
        self._numbers: dict[_Key, int] = {}
        self._text = 0

    @property
    def is_full(self) -> bool:
        """Whether no other group may be added."""
        return len(self.groups) >= MOST_GROUPS or self._text > _MOST_TEXT

    def add(self, row: RowText, group: RowGroup) -> None:
        """Add the group of a row that is not in the table."""
        self._numbers[row.rest, len(row.digest)] = len(self.groups)
        self._text += sum(map(len, row.rest))
        self.groups.append(group)

    def take(self, entries: Entries, first: int, columns: Columns) -> int:
        """Write the rows from entry `first` on to the same places of the columns; return where that ends.

        It ends with the first entry that is not a row of a group in the table.
        """
        for at in range(first, len(entries)):
            row = take_apart(entries[at])
            number = self._numbers.get((row.rest, len(row.digest))) if row else None
            if row is None or number is None:
                return at
            columns.digests[LARGEST * at : LARGEST * (at + 1)] = row.digest.ljust(LARGEST, b"\0")
            columns.vcpus[at], columns.groups[at] = row.vcpus, number
        return len(entries)
