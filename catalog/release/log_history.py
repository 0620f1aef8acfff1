"""History: what a log says, read once and verified against its checkpoint: rows, revocations, the last release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from catalog.errors import MalformedRecord, UsageError, VerificationFailed
from catalog.release.records import (
    INPUTS,
    DigestRecord,
    Record,
    ReleaseRecord,
    RevokeRecord,
    parse_record,
    parse_row,
)
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader

Inputs = tuple[object, ...]


@dataclass(slots=True)
class History:
    """leaves: hashes of digest records. digests: launch digest by inputs, of rows that are not revoked."""

    leaves: set[bytes] = field(default_factory=set)
    digests: dict[Inputs, str] = field(default_factory=dict)
    revokes: list[RevokeRecord] = field(default_factory=list)
    release: ReleaseRecord | None = None

    def add(self, leaf_hash: bytes, record: Record) -> None:
        """The record of the next leaf; raises MalformedRecord for one that contradicts those before."""
        if isinstance(record, DigestRecord):
            self._claim(record)
            self.leaves.add(leaf_hash)
        elif isinstance(record, RevokeRecord):
            self.revokes.append(record)
            if record.severity == "revoked":
                self._forget(record)
        else:
            _check_follows(record, self.release)
            self.release = record

    def new_rows(self, leaves: Iterable[bytes]) -> list[bytes]:
        """Those that are not there yet, sorted, each once; raises UsageError for one that contradicts a live row."""
        found = sorted({leaf for leaf in leaves if merkle.leaf_hash(leaf) not in self.leaves})
        for leaf in found:
            try:
                self._claim(parse_row(leaf))
            except MalformedRecord as error:
                raise UsageError(str(error), "revoke the wrong one first") from error
        return found

    def _claim(self, record: DigestRecord) -> None:
        inputs = tuple(getattr(record, name) for name in INPUTS)
        known = self.digests.setdefault(inputs, record.launch_digest)
        if known != record.launch_digest:
            named = ", ".join(
                f"{name} {value}" for name, value in zip(INPUTS, inputs, strict=True) if value is not None
            )
            raise MalformedRecord(f"two launch digests, {known[:16]}... and {record.launch_digest[:16]}..., of {named}")

    def _forget(self, revoke: RevokeRecord) -> None:
        names = ("launch_digest", *INPUTS)
        for inputs, digest in list(self.digests.items()):
            row = dict(zip(names, (digest, *inputs), strict=True))
            if all(row[name] == value for name, value in revoke.selector.items()):
                del self.digests[inputs]


def read_history(store: Store, checkpoint: Checkpoint) -> History:
    """All leaves of a log, each of them hashed; raises VerificationFailed where they are not the checkpoint's."""
    reader, history = TileReader(store, checkpoint.size), History()
    hashes: list[bytes] = []
    for number in range(-(-checkpoint.size // WIDTH)):
        for leaf in reader.entries(number):
            hashes.append(merkle.leaf_hash(leaf))
            history.add(hashes[-1], parse_record(leaf))
    if root_of(hashes) != checkpoint.root:
        raise VerificationFailed("the entries of the log are not those of its checkpoint")
    return history


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
