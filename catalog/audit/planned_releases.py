"""Where the releases of a log end, before its leaves are read: rows are recomputed as they are read, with the
components of the release that they belong to.

Release records say where the one before ends. One that does not say so truly is noticed when the leaves are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from catalog.errors import LdcatError
from catalog.log.leaves.leaf_block import LeafBlock
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord
from catalog.work.progress import Progress

Ends = Mapping[int, ReleaseRecord]
"""Release records by the number of leaves up to each one, in the order of the log."""


class OtherReleases(Exception):
    """The log has a release record where none was expected, or another one, or none where one was."""


def releases_by_records(reader: LogReader) -> Ends:
    """The releases that are found from the last one on, by what each says about the one before."""
    found, end = dict[int, ReleaseRecord](), reader.size
    with suppress(LdcatError):  # no release record: reading the leaves shows what is there
        while end:
            found[end] = reader.release(end)
            previous = found[end].previous_size
            end = previous if previous < end else 0
    return dict(sorted(found.items()))


def releases_by_leaves(walk: LogWalk, size: int, last: ReleaseRecord) -> Ends:
    """The releases that are found by reading the leaves; after a fault of the log, the last one. size: of the log."""
    found = dict[int, ReleaseRecord]()
    with suppress(LdcatError):
        for part in walk:
            if not isinstance(part, LeafBlock) and isinstance(part.record, ReleaseRecord):
                found[part.index + 1] = part.record
    return {**found, size: last}


class Reported:
    """Progress that passes on rows once, if a log is read again. before: how many were passed on the first time."""

    def __init__(self, progress: Progress, before: int = 0) -> None:
        self.rows = 0
        self._progress = progress
        self._before = before

    def __call__(self, rows: int) -> None:
        known = max(self.rows, self._before)
        self.rows += rows
        if self.rows > known:
            self._progress(self.rows - known)
