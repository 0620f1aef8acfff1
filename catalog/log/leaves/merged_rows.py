"""MergedRows: any number of packed rows, sorted as their leaves: in memory, or on disk where there are many."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from catalog.log.leaves.kept_rows import Scratch
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.packed_rows import ROW, Rows, sort_rows, unknown_rows
from catalog.log.leaves.row_text import LARGEST

AT_ONCE = 1 << 20
"""Rows: how many are sorted in memory."""

_LEAST = 1 << 10
"""Rows: how many are read of a run at a time, at the least."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Sorted rows of one head in the file. at: offset in bytes. rows: how many."""

    at: int
    rows: int


class MergedRows:
    """Rows are added in any order; then `unknown` gives those that are not known, sorted, each once.

    folder: of the file, which has no name.
    Every method raises Unreadable if the disk refuses, and MemoryError.
    """

    def __init__(self, groups: LeafGroups, folder: Path) -> None:
        self._groups = groups
        self._held = bytearray()
        self._scratch = Scratch(folder)
        self._runs: dict[int, list[_Run]] = {}

    def add(self, rows: Rows) -> None:
        """Add packed rows."""
        self._held += rows
        if len(self._held) >= ROW * AT_ONCE:
            self._spill()

    def unknown(self) -> Iterator[Rows]:
        """Yield the rows that are not known, sorted as their leaves, each once, some at a time. Nothing is kept."""
        if self._scratch.size:
            if self._held:
                self._spill()
            for head in self._heads():
                yield from self._merged(self._runs.get(head, []))
            self._scratch.close()
            return
        rows, counts = sort_rows(self._groups, self._held)
        self._held = bytearray()
        ends = [0, *accumulate(ROW * count for count in counts)]
        for head in self._heads():
            yield unknown_rows(bytearray(memoryview(rows)[ends[head] : ends[head + 1]]))

    def _heads(self) -> list[int]:
        """The heads in the order of their texts."""
        texts = self._groups.head_texts()
        return sorted(range(len(texts)), key=texts.__getitem__)

    def _spill(self) -> None:
        """Write the rows that are held, sorted."""
        rows, counts = sort_rows(self._groups, self._held)
        self._held = bytearray()
        at = self._scratch.size
        self._scratch.append(rows)
        for head, count in enumerate(counts):
            if count:
                self._runs.setdefault(head, []).append(_Run(at, count))
                at += ROW * count

    def _merged(self, runs: list[_Run]) -> Iterator[Rows]:
        """Merge the runs of a head. Rows before the last one that was read of every run are complete."""
        each = max(_LEAST, AT_ONCE // max(len(runs), 1))
        cursors = [_Cursor(self._scratch, run) for run in runs]
        while cursors:
            for cursor in cursors:
                cursor.fill(each)
            limit = min((cursor.last for cursor in cursors if cursor.left), default=None)
            taken = [rows for cursor in cursors if (rows := cursor.take(limit))]
            cursors = [cursor for cursor in cursors if cursor.rows or cursor.left]
            if taken:
                merged = taken[0] if len(taken) == 1 else sort_rows(self._groups, b"".join(taken))[0]
                yield unknown_rows(bytearray(merged))
            else:
                each *= 2  # as many rows as were read have one digest


class _Cursor:
    """Reads a run.

    rows: read and not taken yet.
    left: how many were not read yet.
    """

    def __init__(self, scratch: Scratch, run: _Run) -> None:
        self._scratch = scratch
        self._at = run.at
        self.left = run.rows
        self.rows = b""

    @property
    def last(self) -> bytes:
        """The digest of the last row that was read."""
        return self.rows[-ROW:][:LARGEST]

    def fill(self, rows: int) -> None:
        """Read on until so many rows are there."""
        more = min(rows - len(self.rows) // ROW, self.left)
        if more > 0:
            self.rows += self._scratch.read(self._at, ROW * more)
            self._at += ROW * more
            self.left -= more

    def take(self, limit: bytes | None) -> bytes:
        """Take the rows whose digest is before the limit; all if there is none."""
        if limit is None:
            end = len(self.rows)
        elif not self.rows or self.rows[:LARGEST] >= limit:
            return b""
        else:
            numbers = range(len(self.rows) // ROW)
            end = ROW * bisect_left(numbers, limit, key=lambda at: self.rows[ROW * at : ROW * at + LARGEST])
        taken, self.rows = self.rows[:end], self.rows[end:]
        return taken
