"""Recompute the launch digests of rows from the components of their catalog, and compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from catalog.audit.row_pieces import RowPiece
from catalog.build.generation import chunks
from catalog.build.measuring import measure_sweeps
from catalog.errors import LdcatError, MalformedRecord
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.technology import technologies
from catalog.log.leaves.row_text import NONE
from catalog.log.leaves.sorted_rows import SweepColumns
from catalog.log.records import RevokeRecord
from catalog.log.revocations import Revocations
from catalog.operate.finding import Severity
from catalog.rows.digest_record import INPUTS, DigestRecord, parse_values
from catalog.rows.fields import value_in
from catalog.rows.launch_config import LaunchComponents, VcpuSweep
from catalog.spec import embedded
from catalog.store.catalog import Catalog
from catalog.store.follows import all_faults
from catalog.work.engine import Engine
from catalog.work.progress import Progress

_AXES = ("vmm", "vcpu_signature", "sev_features")

GROUPED = tuple(name for name in INPUTS if name != "vcpus")
"""Fields that the rows of a sweep have in common: all inputs but the vCPU count."""

Inputs = tuple[Any, ...]
"""The texts of the fields GROUPED, in this order."""


def sweep_inputs(row: DigestRecord) -> Inputs:
    """The inputs that a row has in common with the other rows of its sweep."""
    return tuple(value_in(row, name) for name in GROUPED)


@dataclass(frozen=True, slots=True)
class Difference:
    """A finding of a rebuilder about a release.

    severity: how bad it is.
    release: number of the release.
    what: one line.
    rows: number of rows that it is about.
    row, recomputed: the row and its recomputed digest in hex, if it is about a single one.
    is_false: whether it is a statement of the release record that contradicts the log.
    """

    severity: Severity
    release: int
    what: str
    rows: int
    row: DigestRecord | None = None
    recomputed: str | None = None
    is_false: bool = False

    def to_dict(self) -> dict[str, Any]:
        """A difference in the JSON of `ldcat rebuild` (docs/command-line.md)."""
        return {
            "severity": self.severity.value,
            "release": self.release,
            "what": self.what,
            "rows": self.rows,
            "row": msgspec.to_builtins(self.row),
            "recomputed": self.recomputed,
        }


@dataclass(frozen=True, slots=True)
class RecomputeTask:
    """Sweeps of one technology, to be measured with one hash backend."""

    sweeps: Sequence[VcpuSweep]
    backend: HashBackend


Wrong = tuple[int | None, str, str]
"""A vCPU count, the digest of a row with it, and the one that was recomputed, in hex."""

Counts = tuple[int | None, ...]


class SweepRows(Protocol):
    """Rows that differ in digest and vCPU count only."""

    @property
    def counts(self) -> Counts:
        """Their vCPU counts, ascending, each once."""

    def __len__(self) -> int: ...

    def wrong(self, counts: Counts, made: bytes) -> Iterator[Wrong]:
        """Yield what differs. counts: as above. made: the recomputed digest for each of them, one after the other."""


@dataclass(slots=True)
class EqualRows:
    """Rows as records. digests: launch digests in hex, by vCPU count; there may be several for one count."""

    digests: dict[int | None, list[str]] = field(default_factory=dict)

    def add(self, row: DigestRecord) -> None:
        self.digests.setdefault(row.vcpus, []).append(row.launch_digest)

    @property
    def counts(self) -> Counts:
        return tuple(sorted(self.digests, key=lambda count: count or 0))

    def __len__(self) -> int:
        return sum(map(len, self.digests.values()))

    def wrong(self, counts: Counts, made: bytes) -> Iterator[Wrong]:
        size = len(made) // len(counts)
        for at, count in enumerate(counts):
            recomputed = made[at * size : (at + 1) * size].hex()
            yield from ((count, digest, recomputed) for digest in self.digests[count] if digest != recomputed)


@dataclass(frozen=True, slots=True)
class ColumnRows:
    """Rows as columns."""

    columns: SweepColumns
    counts: Counts

    def __len__(self) -> int:
        return len(self.columns.vcpus)

    def wrong(self, counts: Counts, made: bytes) -> Iterator[Wrong]:
        if bytes(self.columns.digests) != made:  # else each count is there once, and has its digest
            rows, size = EqualRows(), len(self.columns.digests) // len(self)
            for at, count in enumerate(self.columns.vcpus):
                digest = self.columns.digests[at * size : (at + 1) * size].hex()
                rows.digests.setdefault(None if count == NONE else count, []).append(digest)
            yield from rows.wrong(counts, made)


def recompute(task: RecomputeTask) -> list[bytes]:
    """The launch digests of each sweep, one after the other, in the order of its vCPU counts."""
    made = [b""] * len(task.sweeps)
    for batch in measure_sweeps(task.sweeps, range(len(made)), task.backend.here()):
        size = batch.steps * batch.digest_size
        for at, number in enumerate(batch.sweeps):
            made[number] = bytes(batch.digests[at * size : (at + 1) * size])
    return made


class Recomputation:
    """Recomputes rows from the components of a catalog. number: of the release, for the findings."""

    def __init__(self, catalog: Catalog, number: int, revocations: Revocations[RevokeRecord]) -> None:
        self._number = number
        self._revocations = revocations
        self._profiles = catalog.profiles
        self._components = catalog.launch_components

    def differences(
        self, groups: Mapping[Inputs, EqualRows], engine: Engine, backend: HashBackend, progress: Progress
    ) -> Iterator[Difference]:
        """Yield every difference between the rows and their recomputed digests, without `foreign_profiles`."""
        return self._differences(groups.items(), engine, backend, progress)

    def differences_of_piece(
        self, piece: RowPiece, engine: Engine, backend: HashBackend, progress: Progress
    ) -> Iterator[Difference]:
        """As `differences`, for rows as columns."""
        counts: dict[bytes, Counts] = {}
        sweeps: list[tuple[Inputs, SweepRows]] = []
        for columns in piece.sweeps():
            first, vcpus = piece.table[columns.number].first, columns.vcpus.tobytes()
            if vcpus not in counts:
                counts[vcpus] = tuple(None if count == NONE else count for count in dict.fromkeys(columns.vcpus))
            sweeps.append((sweep_inputs(first) if first else (), ColumnRows(columns, counts[vcpus])))
        return self._differences(sweeps, engine, backend, progress)

    def _differences(
        self, groups: Iterable[tuple[Inputs, SweepRows]], engine: Engine, backend: HashBackend, progress: Progress
    ) -> Iterator[Difference]:
        rows: list[tuple[Inputs, SweepRows]] = []
        sweeps: list[VcpuSweep] = []
        known: dict[Counts, Counts] = {}  # equal tuples are one object, so that they are hashed together
        for inputs, of_sweep in sorted(groups, key=lambda pair: tuple(value or "" for value in pair[0])):
            counts = of_sweep.counts
            try:
                sweeps.append(self._sweep(inputs, known.setdefault(counts, counts)))
                rows.append((inputs, of_sweep))
            except LdcatError as error:
                yield Difference(Severity.ERROR, self._number, f"cannot be recomputed: {error}", len(of_sweep))
                progress(len(of_sweep))
        pieces = list(_pieces(sweeps, backend))
        tasks = (RecomputeTask([sweeps[number] for number in piece], backend) for piece in pieces)
        with closing(engine.run(recompute, tasks)) as results:
            for task, made in results:
                for number, digests in zip(pieces[task], made, strict=True):
                    inputs, of_sweep = rows[number]
                    for wrong in of_sweep.wrong(sweeps[number].vcpus, digests):
                        yield self._difference(inputs, *wrong)
                    progress(len(of_sweep))

    def foreign_profiles(self) -> Iterator[Difference]:
        """Yield profiles that differ from those of this version; the release is recomputed with its own."""
        for name, profile in self._profiles.items():
            known = embedded.all_profiles().get(name)
            if known is None or known.wire != profile.wire:
                how = "is unknown to this version" if known is None else "differs from that of this version"
                yield Difference(Severity.WARNING, self._number, f"its VMM profile {name} {how}", 0)

    def _sweep(self, inputs: Inputs, vcpus: tuple[int | None, ...]) -> VcpuSweep:
        """Raises MalformedRecord for components that the release lacks, and for a configuration that cannot launch."""
        return sweep_of(self._components, parse_values(dict(zip(GROUPED, inputs, strict=True))), vcpus)

    def _difference(self, inputs: Inputs, vcpus: int | None, digest: str, recomputed: str) -> Difference:
        named = dict(zip(GROUPED, inputs, strict=True))
        row = DigestRecord(type="digest", launch_digest=digest, vcpus=vcpus, **named)
        status = self._revocations.status(row)
        if status and status.severity == "revoked":
            what = f"the digest is wrong, and revoked: {status.reason}"
            return Difference(Severity.NOTE, self._number, what, 1, row, recomputed)
        return Difference(Severity.ERROR, self._number, "the digest is wrong", 1, row, recomputed)


def sweep_of(components: LaunchComponents, row: Mapping[str, Any], vcpus: tuple[int | None, ...]) -> VcpuSweep:
    """The sweep of rows that differ only in the vCPU count. row: values of the fields GROUPED, by column.

    Raises MalformedRecord for components that are not there, and for a configuration that cannot launch; UsageError for
    values that no configuration has.
    """
    if row["technology"] not in technologies():
        raise MalformedRecord(f"unknown technology {row['technology']!r}")
    technology = technologies()[row["technology"]]
    sweep = VcpuSweep(components.config({**row, "vcpus": None}), vcpus)
    given = {name for name in _AXES if row[name] is not None} | ({"vcpus"} if None not in vcpus else set())
    free = {"vcpu_signature"} if technology.measures_vcpus else set()  # whether it is measured depends on the VMM
    for count in (vcpus[0], vcpus[-1]):
        config = sweep.at(count)
        if not config.igvm and (
            not isinstance(config.point, technology.point_type)
            or given - free != technology.measured_fields - {"kernel_hashes"} - free
        ):
            raise MalformedRecord(f"a row of {technology.name} has fields too many or too few")
        if reason := config.blocker:
            raise MalformedRecord(f"{technology.name} cannot launch it: {reason}")
    return sweep


def false_components(catalog: Catalog, number: int, right: Sequence[str]) -> Iterator[Difference]:
    """Yield derived data of a catalog that do not follow from its components. number: of the release.

    right: technologies whose rows and index are known to be right.
    """
    for derived, fault in all_faults(catalog.components, right):
        yield Difference(Severity.ERROR, number, f"{derived.file} contradicts the data it is derived from: {fault}", 0)


def _pieces(sweeps: Sequence[VcpuSweep], backend: HashBackend) -> Iterator[Sequence[int]]:
    """Numbers of sweeps of one technology that are hashed at once."""
    of_technology: dict[str, list[int]] = {}
    for number, sweep in enumerate(sweeps):
        of_technology.setdefault(sweep.config.technology, []).append(number)
    for numbers in of_technology.values():
        yield from chunks(sweeps, numbers, compiled=backend.compiled)
