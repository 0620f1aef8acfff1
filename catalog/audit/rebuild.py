"""Rebuild: recompute every launch digest of a log from the components of its releases, and compare.

Leaves are canonical, so a rebuilder with the same inputs and digests makes the same leaves: if all digests are equal,
the root hash of the log is also that of a log made from scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from catalog.audit.planned_releases import Ends, OtherReleases, Reported, releases_by_leaves, releases_by_records
from catalog.audit.rebuilt_release import ReleaseRows
from catalog.audit.recompute import Difference
from catalog.errors import MalformedRecord, VerificationFailed
from catalog.launch.hashing.backends import HashBackend
from catalog.log.leaf_search import OTHER, ROW, leaf_place
from catalog.log.leaves.leaf_block import Leaf, LeafBlock, LogPart
from catalog.log.log_folder import LogFolder
from catalog.log.log_history import revokes_by_records
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord
from catalog.log.revocations import Revocations
from catalog.operate.finding import Severity
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.verify.releases_of_log import release_of_record
from catalog.work.engine import Engine
from catalog.work.progress import Progress


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result of a rebuild.

    checkpoint: of the log that was recomputed.
    releases: number of releases.
    rows: number of rows.
    endorsed: number of endorsed digests, which nobody can recompute.
    differences: what was found.
    """

    checkpoint: Checkpoint
    releases: int
    rows: int
    endorsed: int
    differences: tuple[Difference, ...]

    @property
    def is_false(self) -> bool:
        """Whether the last release record contradicts its log."""
        return any(found.is_false and found.severity is Severity.ERROR for found in self.differences)

    @property
    def same(self) -> bool:
        """Whether no difference is an error."""
        return all(found.severity is not Severity.ERROR for found in self.differences)


def rebuild(
    log: LogFolder, checkpoint: Checkpoint, *, now: int, engine: Engine, backend: HashBackend, progress: Progress
) -> Rebuilt:
    """Recompute the rows of a log at a checkpoint, release by release, and all statements of its release records.

    now: seconds since 1970. progress: called with numbers of rows. Raises as LogReader and LogWalk, and MalformedRecord
    for rows and endorsed digests that are not sorted at the beginning of their release.
    """
    reader = LogReader(log, checkpoint)
    last, revocations = reader.span(checkpoint.size).record, Revocations(revokes_by_records(log, checkpoint.size))

    def read(ends: Ends, report: Progress) -> Rebuilt:
        def rows_of(record: ReleaseRecord) -> ReleaseRows:
            def opened() -> Catalog:
                release = release_of_record(log, checkpoint, record, last)
                return release.source.open(release) if release.source else Catalog.open_release(release)

            return ReleaseRows(record.release, opened, revocations, engine=engine, backend=backend, progress=report)

        walk = LogWalk(log, checkpoint, now)
        reading = _Reading(walk, ends, rows_of)
        found = list(reading.differences(last))
        found += [Difference(Severity.ERROR, last.release, note.text, 0) for note in walk.unknown.record_notes()]
        return Rebuilt(checkpoint, len(walk.releases), reading.rows, reading.endorsed, tuple(found))

    reported = Reported(progress)
    try:
        return read(releases_by_records(reader), reported)
    except OtherReleases:
        ends = releases_by_leaves(LogWalk(log, checkpoint, now, rows=False), checkpoint.size, last)
        return read(ends, Reported(progress, reported.rows))


class _Reading:
    """One reading of a log. rows, endorsed: how many rows and endorsed digests were read.

    ends: where each release ends. rows_of: makes what takes the leaves of a release, given its record.
    """

    def __init__(self, walk: LogWalk, ends: Ends, rows_of: Callable[[ReleaseRecord], ReleaseRows]) -> None:
        self.rows = self.endorsed = 0
        self._walk, self._ends, self._rows_of = walk, ends, rows_of

    def differences(self, last: ReleaseRecord) -> Iterator[Difference]:
        """Yield what differs, release by release. last: the last release record.

        Raises OtherReleases if one ends elsewhere, and MalformedRecord for leaves in another order than this: sorted
        rows, sorted endorsed digests, all others.
        """
        walk, planned = self._walk, iter(self._ends.items())
        release: ReleaseRows | None = None
        for part in self._parts():
            if isinstance(part, VerificationFailed):
                yield Difference(Severity.ERROR, walk.releases[-1].record.release, str(part), 0)
                return
            if release is None:
                end, record = next(planned, (0, last))
                release, before = self._rows_of(record), (ROW, b"")
            if isinstance(part, LeafBlock) or not isinstance(part.record, ReleaseRecord):
                before = _after(part, before, len(walk.releases))
                _add(part, release)
                continue
            if (part.index + 1, part.record) != (end, record):
                raise OtherReleases
            self.rows += release.rows
            self.endorsed += len(release.endorsed)
            severity = Severity.ERROR if record == last else Severity.WARNING
            for why in walk.releases[-1].false:
                yield Difference(severity, record.release, why, 0, is_false=True)
            yield from release.differences()
            release = None

    def _parts(self) -> Iterator[LogPart | VerificationFailed]:
        """The leaves; and, at the end, why they are not those of the checkpoint."""
        try:
            yield from self._walk
        except VerificationFailed as error:
            yield error


def _add(part: LogPart, release: ReleaseRows) -> None:
    if isinstance(part, LeafBlock):
        release.add(part)
    elif isinstance(part.record, EndorsedRecord):
        release.endorsed.append(part.record)
    elif isinstance(part.record, DigestRecord):
        release.add_row(part.record)


def _after(part: LogPart, before: tuple[int, bytes], releases: int) -> tuple[int, bytes]:
    """Place and text of the last leaf of a part. before: of the leaf before it. releases: how many were read.

    Raises MalformedRecord for leaves that are not in order.
    """
    if isinstance(part, LeafBlock):
        place, first, last = ROW, part.entries[0], part.entries[-1]
    else:
        place, first, last = leaf_place(part.text), part.text, part.text
    if place != OTHER and ((place, first) <= before or not (isinstance(part, Leaf) or part.ascends())):
        what = "rows" if place == ROW else "endorsed digests"
        raise MalformedRecord(
            f"the {what} after {releases} releases are not sorted, unique, and before the other leaves"
        )
    return place, last
