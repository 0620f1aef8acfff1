"""RowPiece: rows of a release as columns, a piece at a time, so that memory does not grow with the release.

Leaves are sorted by image or base, kernel hashes table, then digest. The rows of a sweep are therefore spread over the
run of leaves with its image and table, and nowhere else: a piece has whole runs, unless one alone is too large.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.files.direct_io import anonymous
from catalog.log.leaves.leaf_block import LeafBlock, RowGroup
from catalog.log.leaves.row_text import LARGEST
from catalog.log.leaves.sorted_rows import SweepColumns, sorted_rows
from catalog.rows.fields import DIGEST, RECORD, value_in

MOST_ROWS = 1 << 21
"""Rows of a piece, of 56 bytes each; more than the combinations of four VMMs, ten vCPU types and all vCPU counts."""

_MOST_MORE = 1 << 12
"""Rows that are added at once, after which a piece may be complete."""

_RUN = tuple(each.name for each in RECORD if each.name < DIGEST.name)
"""Fields that are in front of the digest in a leaf."""


@dataclass(frozen=True, slots=True)
class RowPiece:
    """Rows next to each other in a log, until the next ones are added. See LeafBlock for the columns.

    table: groups, also those of other rows.
    """

    table: Sequence[RowGroup]
    digests: memoryview
    vcpus: memoryview
    groups: memoryview

    def sweeps(self) -> Iterator[SweepColumns]:
        """Yield the rows of each group."""
        return sorted_rows(self.digests, self.vcpus, self.groups, [group.digest_size for group in self.table])


class RowPieces:
    """Gathers the rows of a release, block by block."""

    def __init__(self) -> None:
        room = MOST_ROWS + _MOST_MORE
        self._digests, vcpus, groups = (memoryview(anonymous(size * room)) for size in (LARGEST, 4, 4))
        self._vcpus, self._groups = vcpus.cast("i"), groups.cast("I")
        self._table: Sequence[RowGroup] = []
        self._runs: list[Run] = []  # by group
        self._run: Run | None = None
        self._run_at = self._rows = 0

    def add(self, block: LeafBlock) -> Iterator[RowPiece]:
        """Add a block; yield the pieces that are complete."""
        if block.table is not self._table:
            yield from self.rest()
            self._table, self._runs = block.table, []
        self._runs += map(_run_of, block.table[len(self._runs) :])
        at = 0
        while at < len(block):
            run, end = self._runs[block.groups[at]], self._end_of_run(block, at)
            if run != self._run:
                self._run, self._run_at = run, self._rows
            end = min(end, at + _MOST_MORE)
            self._copy(block, at, end)
            while self._rows > MOST_ROWS:
                yield from self._cut(self._run_at or self._rows)
            at = end

    def _copy(self, block: LeafBlock, first: int, end: int) -> None:
        begin, self._rows = self._rows, self._rows + end - first
        self._digests[LARGEST * begin : LARGEST * self._rows] = block.digests[LARGEST * first : LARGEST * end]
        self._vcpus[begin : self._rows] = block.vcpus[first:end]
        self._groups[begin : self._rows] = block.groups[first:end]

    def rest(self) -> Iterator[RowPiece]:
        """Yield the rows that are left; others may follow."""
        if self._rows:
            yield from self._cut(self._rows)

    def _cut(self, at: int) -> Iterator[RowPiece]:
        """Yield the first `at` rows, and keep the others."""
        yield RowPiece(self._table, self._digests[: LARGEST * at], self._vcpus[:at], self._groups[:at])
        left, self._rows, self._run_at = self._rows - at, self._rows - at, 0
        for size, column in ((LARGEST, self._digests), (1, self._vcpus), (1, self._groups)):
            column[: size * left] = column[size * at : size * (at + left)]

    def _end_of_run(self, block: LeafBlock, at: int) -> int:
        """Where the run of a row ends in its block."""
        run, runs, groups = self._runs[block.groups[at]], self._runs, block.groups
        if runs[groups[-1]] == run:
            return len(block)
        return bisect_left(range(len(block)), True, at, key=lambda row: runs[groups[row]] != run)


Run = tuple[Any, ...]
"""The values of the fields _RUN."""


def _run_of(group: RowGroup) -> Run:
    return tuple(value_in(group.first, name) for name in _RUN) if group.first else ()
