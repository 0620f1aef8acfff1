"""GroupTable: the groups of rows that were seen, by the text that their leaves have in common."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

from catalog.log.leaves import leaf_code
from catalog.log.leaves.entries import Entries
from catalog.log.leaves.leaf_block import RowGroup
from catalog.log.leaves.row_text import LARGEST, take_apart

MOST_GROUPS = 1 << 14
"""Groups of a table: many times those of one firmware image and kernel, whose rows are next to each other."""

_MOST_TEXT = 16 << 20
"""Bytes: most leaves of first rows of groups, beside the last one; a hostile log may have long ones."""

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
    """Groups by what `take_apart` calls the rest, and the size of the digest. It has a limited size."""

    def __init__(self) -> None:
        self.groups: list[RowGroup] = []
        self._text = 0
        self._numbers: dict[_Key, int] = {}
        self._compiled: Any = None
        if leaf_code.lib:
            self._compiled = leaf_code.ffi.gc(
                leaf_code.lib.ldcat_groups_new(MOST_GROUPS), leaf_code.lib.ldcat_groups_free
            )
            if not self._compiled:
                raise MemoryError

    @property
    def is_full(self) -> bool:
        """Whether no other group may be added."""
        return len(self.groups) >= MOST_GROUPS or self._text > _MOST_TEXT

    def add(self, leaf: bytes, group: RowGroup) -> bool:
        """Add the group of a row, which is not in the table; False, and nothing is added, if that is not possible."""
        if self._compiled:
            if not leaf_code.lib.ldcat_groups_add(self._compiled, leaf, len(leaf)):
                return False
        elif row := take_apart(leaf):
            self._numbers[row.rest, len(row.digest)] = len(self.groups)
        else:
            return False
        self._text += len(leaf)
        self.groups.append(group)
        return True

    def take(self, entries: Entries, first: int, columns: Columns) -> int:
        """Write the rows from entry `first` on to the same places of the columns; return where that ends.

        It ends with the first entry that is not a row of a group in the table.
        """
        if self._compiled:
            return int(
                leaf_code.lib.ldcat_groups_take(
                    self._compiled,
                    leaf_code.ffi.from_buffer("uint8_t[]", entries.data),
                    len(entries.data),
                    leaf_code.words(entries.starts),
                    leaf_code.words(entries.sizes),
                    first,
                    len(entries),
                    leaf_code.writable(columns.digests),
                    leaf_code.signed(columns.vcpus),
                    leaf_code.words(columns.groups),
                )
            )
        for at in range(first, len(entries)):
            row = take_apart(entries[at])
            number = self._numbers.get((row.rest, len(row.digest))) if row else None
            if row is None or number is None:
                return at
            columns.digests[LARGEST * at : LARGEST * (at + 1)] = row.digest.ljust(LARGEST, b"\0")
            columns.vcpus[at], columns.groups[at] = row.vcpus, number
        return len(entries)
