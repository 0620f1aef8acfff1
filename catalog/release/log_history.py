"""History: what a log says, read once and verified against its checkpoint: rows, revocations, the last release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from catalog.errors import MalformedRecord, UsageError, VerificationFailed
from catalog.release.records import (
    INPUTS,
    DigestRecord,
    ReleaseRecord,
    RevokeRecord,
    Severity,
    parse_record,
    parse_row,
)
from catalog.release.revocations import Revocations
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader

Inputs = tuple[object, ...]

_HINT = "revoke the wrong one first: ldcat revoke --digest"


@dataclass(slots=True)
class History:
    """What a log has, and what its rows are once the revocations that are to come are there.

    leaves: hashes of digest records. digests: launch digest by inputs, of rows that are not revoked then. selected: of
    each coming revocation, how many rows it selects, by their severity before it. new_revoked: of the new rows.
    """

    now: Revocations
    coming: Sequence[RevokeRecord]
    leaves: set[bytes] = field(default_factory=set)
    digests: dict[Inputs, str] = field(default_factory=dict)
    selected: list[Counter[Severity | None]] = field(init=False)
    new_revoked: int = 0
    release: ReleaseRecord | None = None
    _before: list[Revocations] = field(init=False)
    _then: Revocations = field(init=False)

    def __post_init__(self) -> None:
        *self._before, self._then = (
            Revocations((*self.now.records, *self.coming[:count])) for count in range(len(self.coming) + 1)
        )
        self.selected = [Counter() for _ in self.coming]

    def new_rows(self, leaves: Iterable[bytes]) -> list[bytes]:
        """Those that are not there yet, sorted, each once; raises UsageError for one that contradicts a live row."""
        found = sorted({leaf for leaf in leaves if merkle.leaf_hash(leaf) not in self.leaves})
        for leaf in found:
            row = parse_row(leaf)
            self.new_revoked += self._then.severity(row) == "revoked"
            try:
                self.add_row(row)
            except MalformedRecord as error:
                raise UsageError(str(error), _HINT) from error
        return found

    def add_row(self, row: DigestRecord) -> None:
        """The next row; raises MalformedRecord for one that contradicts those before."""
        for record, before, selected in zip(self.coming, self._before, self.selected, strict=True):
            if record.selects(row):
                selected[before.severity(row)] += 1
        if self._then.severity(row) == "revoked":
            return
        inputs = tuple(getattr(row, name) for name in INPUTS)
        known = self.digests.setdefault(inputs, row.launch_digest)
        if known != row.launch_digest:
            named = ", ".join(
                f"{name} {value}" for name, value in zip(INPUTS, inputs, strict=True) if value is not None
            )
            raise MalformedRecord(f"two launch digests, {known} and {row.launch_digest}, of {named}")


def read_history(store: Store, checkpoint: Checkpoint, coming: Sequence[RevokeRecord] = ()) -> History:
    """All leaves of a log, each of them hashed; raises VerificationFailed where they are not the checkpoint's.

    coming: what is to be revoked or restored. Raises MalformedRecord for a log that contradicts itself, UsageError for
    one that would then.
    """
    reader = TileReader(store, checkpoint.size)
    history = History(Revocations(read_revokes(reader, checkpoint.size)), coming)
    hashes: list[bytes] = []
    revokes = []
    for number in range(-(-checkpoint.size // WIDTH)):
        for leaf in reader.entries(number):
            hashes.append(merkle.leaf_hash(leaf))
            record = parse_record(leaf)
            if isinstance(record, DigestRecord):
                try:
                    history.leaves.add(hashes[-1])
                    history.add_row(record)
                except MalformedRecord as error:
                    if not coming:
                        raise
                    raise UsageError(str(error), _HINT) from error
            elif isinstance(record, RevokeRecord):
                revokes.append(record)
            else:
                _check_follows(record, history.release)
                history.release = record
    if root_of(hashes) != checkpoint.root or tuple(revokes) != history.now.records:
        raise VerificationFailed("the entries of the log are not those of its checkpoint")
    return history


def read_revokes(reader: TileReader, size: int) -> list[RevokeRecord]:
    """The revoke records of a log, which stand before those of releases; what the leaves say is not verified here.

    Raises MalformedRecord for a log that does not end with the record of a release.
    """
    found = []
    while size:
        records = (parse_record(reader.entries(index // WIDTH)[index % WIDTH]) for index in range(size - 1, -1, -1))
        release = next(records)
        if not isinstance(release, ReleaseRecord) or not 0 <= release.previous_size < size:
            raise MalformedRecord(f"leaf {size - 1} of the log is not the record of a release")
        for record in records:
            if not isinstance(record, RevokeRecord):
                break
            found.append(record)
        size = release.previous_size
    return found[::-1]


def _check_follows(record: ReleaseRecord, last: ReleaseRecord | None) -> None:
    """Number, time and trust version of releases never go back."""
    if record.release != (last.release + 1 if last else 1):
        raise MalformedRecord(f"release {record.release} follows release {last.release if last else 0}")
    if last and record.time < last.time:
        raise MalformedRecord(f"release {record.release} was made before release {last.release}")
    if last and (record.trust_version or 0) < (last.trust_version or 0):
        raise MalformedRecord(f"the trust version of release {record.release} is behind that of release {last.release}")


def root_of(hashes: list[bytes]) -> bytes:
    """The root of a tree with these leaf hashes."""
    levels = [hashes]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([merkle.node_hash(below[n], below[n + 1]) for n in range(0, len(below) - 1, 2)])
    return merkle.root_hash(len(hashes), lambda level, index: levels[level][index])
