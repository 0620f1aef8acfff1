"""Runs of leaves that are equal up to their digest: those of one firmware image and one kernel hashes table.

A release appends its rows sorted by their leaves, which begin with the firmware, then the table, then the digest.
Within a run the digests are therefore sorted and evenly spread: if one knows where it begins and ends, a row is found
by its digest with one or two entry bundles, instead of a binary search over the whole log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.log.log_reader import LogReader

_ROW = b'"type":"digest"'
_DIGEST = b',"launch_digest":'


@dataclass(frozen=True, slots=True)
class LeafRun:
    """Leaves next to each other that are equal up to their digest.

    start: the text that its leaves begin with, up to their digest.
    first: index of its first leaf.
    rows: number of its leaves.
    """

    start: str
    first: int
    rows: int


def leaf_runs(reader: LogReader) -> Iterator[LeafRun]:
    """Yield the runs of each release, the last release first. Raises as LogReader.spans and LogReader.entry."""
    for release in reader.spans():
        at, end = release.first, release.end - 1
        while at < end and (start := _start(reader.entry(at))) is not None:
            after = _after(reader, start, at, end)
            yield LeafRun(start.decode("ascii", "replace"), at, after - at)
            at = after


def _start(leaf: bytes) -> bytes | None:
    """The text of a leaf up to its digest; None if it is not a digest record."""
    head, found, _ = leaf.partition(_DIGEST)
    return head if found and _ROW in leaf else None


def _after(reader: LogReader, start: bytes, low: int, high: int) -> int:
    """The index after the last leaf of the run that the leaf at `low` belongs to, at most `high`."""
    step = 1
    while low + step < high and _start(reader.entry(low + step)) == start:
        low, step = low + step, 2 * step
    high = min(high, low + step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _start(reader.entry(middle)) == start else (low, middle)
    return high
