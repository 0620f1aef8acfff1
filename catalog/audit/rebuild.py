"""Rebuild: recompute every launch digest of a log from the components of its releases, and compare.

Leaves are canonical, so a rebuilder with the same inputs and digests makes the same leaves: if all digests are equal,
the root hash of the log is also that of a log made from scratch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.audit.recompute import Difference, EqualRows, Inputs, Recomputation, false_components, sweep_inputs
from catalog.errors import LdcatError, MalformedRecord, VerificationFailed
from catalog.launch.hashing.backends import HashBackend
from catalog.log.leaf_search import OTHER, ROW, leaf_place
from catalog.log.log_folder import LogFolder
from catalog.log.log_history import revokes_by_records
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord
from catalog.log.revocations import Revocations
from catalog.operate.finding import Severity
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.rows.unknown import unknown_technology
from catalog.store.catalog import Catalog
from catalog.store.endorsements import read_endorsements
from catalog.transparency.checkpoint import Checkpoint
from catalog.verify.verify_release import release_of_record
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
    walk, rows, listed, found = LogWalk(log, checkpoint, now), 0, 0, list[Difference]()
    for groups, endorsed in _groups(walk, found):
        each = walk.releases[-1]
        record, count = each.record, sum(map(len, groups.values()))
        rows += count
        listed += len(endorsed)
        severity = Severity.ERROR if each.record == last else Severity.WARNING
        found += [Difference(severity, record.release, why, 0, is_false=True) for why in each.false]
        try:
            release = release_of_record(log, checkpoint, record, last)
            catalog: Catalog = release.source.open(release) if release.source else Catalog.open_release(release)
            made = Recomputation(catalog, record.release, revocations)
        except LdcatError as error:  # in its folder; the other releases can still be recomputed
            found.append(Difference(Severity.ERROR, record.release, f"cannot be recomputed: {error}", count))
            progress(count)
            continue
        found += made.foreign_profiles()
        found += made.differences(groups, engine, backend, progress)
        found += false_components(catalog, record.release)
        found += _unknown_technologies(catalog, record.release)
        found += _unlisted_endorsed(catalog, record.release, endorsed)
    found += [Difference(Severity.ERROR, last.release, note.text, 0) for note in walk.unknown.record_notes()]
    return Rebuilt(checkpoint, len(walk.releases), rows, listed, tuple(found))


def _unknown_technologies(catalog: Catalog, number: int) -> Iterator[Difference]:
    """Technologies of a later version, which were not recomputed: an error, so that they are not cosigned."""
    for name, entry in catalog.manifest.unknown.items():
        yield Difference(Severity.ERROR, number, unknown_technology(name, entry.rows, "not recomputed").text, 0)


def _unlisted_endorsed(catalog: Catalog, number: int, endorsed: Sequence[EndorsedRecord]) -> Iterator[Difference]:
    """Endorsed digests of a release that its catalog does not have: nobody could check them."""
    try:
        listed = set(read_endorsements(catalog).records)
    except LdcatError as error:
        yield Difference(Severity.ERROR, number, f"its endorsed digests cannot be compared: {error}", 0)
        return
    for record in endorsed:
        if record not in listed:
            what = f"the catalog does not have the endorsed digest {record.launch_digest} of {record.endorser_id}"
            yield Difference(Severity.ERROR, number, what, 0)


def _groups(walk: LogWalk, found: list[Difference]) -> Iterator[tuple[dict[Inputs, EqualRows], list[EndorsedRecord]]]:
    """Yield rows and endorsed digests of each release after its record was read. Entries that do not match the
    checkpoint are added to `found`.

    Raises MalformedRecord for leaves in another order than this: sorted rows, sorted endorsed digests, all others.
    """
    groups: dict[Inputs, EqualRows] = {}
    endorsed: list[EndorsedRecord] = []
    before = (ROW, b"")
    leaves = walk.leaves()
    while True:
        try:
            found_leaf = next(leaves)
        except StopIteration:
            return
        except VerificationFailed as error:
            found.append(Difference(Severity.ERROR, walk.releases[-1].record.release, str(error), 0))
            return
        leaf, record = found_leaf.text, found_leaf.record
        if isinstance(record, ReleaseRecord):
            yield groups, endorsed
            groups, endorsed, before = {}, [], (ROW, b"")
            continue
        place = leaf_place(leaf)
        if place != OTHER and (place, leaf) <= before:
            what = "rows" if place == ROW else "endorsed digests"
            raise MalformedRecord(
                f"the {what} after {len(walk.releases)} releases are not sorted, unique, and before the other leaves"
            )
        before = (place, leaf)
        if isinstance(record, EndorsedRecord):
            endorsed.append(record)
        elif isinstance(record, DigestRecord):
            groups.setdefault(sweep_inputs(record), EqualRows()).add(record)
