"""Rebuild: every launch digest of a log is recomputed from the components of its releases, and compared.

A row is canonical, so that its leaf is what would be made of the same inputs and the digest that comes out: where all
digests are equal, the root over the leaves as they are is that of a log that was made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.errors import LdcatError, MalformedRecord
from catalog.launch.native.paths import Kernels
from catalog.query.finding import Severity
from catalog.query.log_reader import LogReader
from catalog.query.recompute import Difference, EqualRows, Inputs, Recomputation, false_components
from catalog.query.revocations import read_revocations
from catalog.query.store import Catalog
from catalog.query.verify_release import release_at
from catalog.release.engine import Engine
from catalog.release.enumeration import Progress
from catalog.release.log_folder import LogFolder
from catalog.release.records import INPUTS, DigestRecord, ReleaseRecord, parse_record
from catalog.release.revocations import Revocations
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, TileReader


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """releases, rows: how many there were."""

    checkpoint: Checkpoint
    releases: int
    rows: int
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether nothing speaks against the log."""
        return all(found.severity is not Severity.ERROR for found in self.differences)


def rebuild(log: LogFolder, checkpoint: Checkpoint, *, engine: Engine, kernels: Kernels, progress: Progress) -> Rebuilt:
    """Recompute a log at a checkpoint, release by release. progress: told of rows.

    Raises what reading the log does, and MalformedRecord for leaves that stand where they may not.
    """
    reader = LogReader(log, checkpoint)
    releases = list(reader.releases())[::-1]
    ends = [*(record.previous_size for record in releases[1:]), checkpoint.size]
    revocations = Revocations(read_revocations(release_at(log, None, reader, checkpoint)))
    leaves = _leaves(log, checkpoint)
    tree, rows, found = merkle.CompactRange(), 0, list[Difference]()
    for record, end in zip(releases, ends, strict=True):
        groups = _grouped(leaves, record, end, tree)
        rows += sum(map(len, groups.values()))
        try:
            catalog = Catalog.open_release(release_at(log, record.release, reader, checkpoint))
            made = Recomputation(catalog, record.release, revocations)
        except LdcatError as error:  # of its folder: the other releases can be recomputed all the same
            lost = sum(map(len, groups.values()))
            found.append(Difference(Severity.ERROR, record.release, f"cannot be recomputed: {error}", lost))
            progress(lost)
            continue
        found += made.differences(groups, engine, kernels, progress)
        found += false_components(catalog, record.release)
    if tree.root() != checkpoint.root:
        what = "the entries of the log are not those of its checkpoint"
        found.append(Difference(Severity.ERROR, releases[-1].release, what, rows))
    return Rebuilt(checkpoint, len(releases), rows, tuple(found))


def _leaves(log: LogFolder, checkpoint: Checkpoint) -> Iterator[bytes]:
    reader = TileReader(log, checkpoint.size)
    for number in range(-(-checkpoint.size // WIDTH)):
        yield from reader.entries(number)


def _grouped(
    leaves: Iterator[bytes], release: ReleaseRecord, end: int, tree: merkle.CompactRange
) -> dict[Inputs, EqualRows]:
    """The rows of a release; raises MalformedRecord where they do not stand sorted before the rest, each once."""
    groups: dict[Inputs, EqualRows] = {}
    before, rest = b"", False
    for _ in range(release.previous_size, end):
        leaf = next(leaves)
        tree.append(merkle.leaf_hash(leaf))
        record = parse_record(leaf)
        if not isinstance(record, DigestRecord):
            rest = True
        elif rest or leaf <= before:
            raise MalformedRecord(f"the rows of release {release.release} are not sorted, each once, before the rest")
        else:
            before = leaf
            inputs = tuple(getattr(record, name) for name in INPUTS if name != "vcpus")
            groups.setdefault(inputs, EqualRows()).add(record)
    return groups
