"""Rebuild: every launch digest of a log is recomputed from the components of its releases, and compared.

A row is canonical, so that its leaf is what would be made of the same inputs and the digest that comes out: where all
digests are equal, the root over the leaves as they are is that of a log that was made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.audit.recompute import Difference, EqualRows, Inputs, Recomputation, false_components, sweep_inputs
from catalog.errors import LdcatError, MalformedRecord, VerificationFailed
from catalog.launch.hashing.backends import HashBackend
from catalog.log.log_folder import LogFolder
from catalog.log.log_history import said_by_records
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord
from catalog.log.revocations import Revocations
from catalog.operate.finding import Severity
from catalog.rows.digest_record import DigestRecord
from catalog.rows.unknown import unknown_technology
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.verify.verify_release import release_of_record
from catalog.work.engine import Engine
from catalog.work.progress import Progress


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """releases, rows: how many there were."""

    checkpoint: Checkpoint
    releases: int
    rows: int
    differences: tuple[Difference, ...]

    @property
    def is_false(self) -> bool:
        """Whether the last release record says what does not follow from its log."""
        return any(found.is_false and found.severity is Severity.ERROR for found in self.differences)

    @property
    def same(self) -> bool:
        """Whether nothing speaks against the log."""
        return all(found.severity is not Severity.ERROR for found in self.differences)


def rebuild(
    log: LogFolder, checkpoint: Checkpoint, *, now: int, engine: Engine, backend: HashBackend, progress: Progress
) -> Rebuilt:
    """Recompute a log at a checkpoint, release by release, and all that its release records say. progress: of rows.

    now: seconds since 1970. Raises what reading the log does, and MalformedRecord for leaves that stand where they may
    not.
    """
    reader = LogReader(log, checkpoint)
    last, revocations = reader.span(checkpoint.size).record, Revocations(said_by_records(log, checkpoint.size))
    walk, rows, found = LogWalk(log, checkpoint, now), 0, list[Difference]()
    for groups in _groups(walk, found):
        each = walk.releases[-1]
        record, count = each.record, sum(map(len, groups.values()))
        rows += count
        severity = Severity.ERROR if each.record == last else Severity.WARNING
        found += [Difference(severity, record.release, why, 0, is_false=True) for why in each.false]
        try:
            catalog = Catalog.open_release(release_of_record(log, checkpoint, record, last))
            made = Recomputation(catalog, record.release, revocations)
        except LdcatError as error:  # of its folder: the other releases can be recomputed all the same
            found.append(Difference(Severity.ERROR, record.release, f"cannot be recomputed: {error}", count))
            progress(count)
            continue
        found += made.differences(groups, engine, backend, progress)
        found += false_components(catalog, record.release)
        found += _unknown_technologies(catalog, record.release)
    found += [Difference(Severity.ERROR, last.release, line, 0) for line in walk.unknown.record_lines()]
    return Rebuilt(checkpoint, len(walk.releases), rows, tuple(found))


def _unknown_technologies(catalog: Catalog, number: int) -> Iterator[Difference]:
    """Those of a later version, of which rows may be in no leaf; nobody vouches for what was not recomputed."""
    for name, entry in catalog.manifest.unknown.items():
        yield Difference(Severity.ERROR, number, unknown_technology(name, entry.rows, "not recomputed"), 0)


def _groups(walk: LogWalk, found: list[Difference]) -> Iterator[dict[Inputs, EqualRows]]:
    """The rows of each release, once its record was read; entries that are not the checkpoint's go to what is found.

    Raises MalformedRecord for rows that do not stand sorted before the rest, each once.
    """
    groups: dict[Inputs, EqualRows] = {}
    before, rest = b"", False
    leaves = iter(walk)
    while True:
        try:
            _, leaf, record = next(leaves)
        except StopIteration:
            return
        except VerificationFailed as error:
            found.append(Difference(Severity.ERROR, walk.releases[-1].record.release, str(error), 0))
            return
        if isinstance(record, ReleaseRecord):
            yield groups
            groups, before, rest = {}, b"", False
        elif not isinstance(record, DigestRecord):
            rest = True
        elif rest or leaf <= before:
            raise MalformedRecord(
                f"the rows after {len(walk.releases)} releases are not sorted, each once, before the rest"
            )
        else:
            before = leaf
            inputs = sweep_inputs(record)
            groups.setdefault(inputs, EqualRows()).add(record)
