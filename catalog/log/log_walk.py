"""A walk over every leaf of a log, in order: what its release records say is compared with the leaves before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from catalog.errors import FalseRecord, VerificationFailed
from catalog.log.records import (
    AnyRecord,
    ReleaseRecord,
    RevokeRecord,
    is_row,
    parse_record,
    technology_of,
)
from catalog.log.release_rules import Before, false_claims, false_list, steps_back
from catalog.log.revocation_chain import RevocationChain
from catalog.rows.digest_record import DigestRecord
from catalog.rows.unknown import UnknownLeaves
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader


@dataclass(frozen=True, slots=True)
class Start:
    """Where a walk begins: the log there, of which all is known, and the chain of its revocations."""

    before: Before = field(default_factory=Before)
    revocations: RevocationChain = field(default_factory=RevocationChain)


@dataclass(frozen=True, slots=True)
class WalkedRelease:
    """A release record as it stands in a log. revokes: those that came with it, the newest last.

    false: what does not follow, in lines. steps_back: what is odd and may be right.
    """

    record: ReleaseRecord
    revokes: tuple[RevokeRecord, ...]
    false: tuple[str, ...]
    steps_back: tuple[str, ...]


class LogWalk:
    """Iterate over it once; then `releases` and `revokes` have what came since `start`, and `before`, `chain` all.

    unknown: the leaves since `start` that this version does not know.

    A revoke record counts if nothing but others stands between it and the record of its release: whoever reads a
    release from its end sees the same ones. now: seconds since 1970. rows: whether rows are parsed; else only hashed.

    Raises what reading the log does, MalformedRecord for a leaf that is no record, FalseRecord for a log that does not
    end with a release, and VerificationFailed for entries that are not those of the checkpoint.
    """

    def __init__(
        self, store: Store, checkpoint: Checkpoint, now: int, start: Start | None = None, *, rows: bool = True
    ) -> None:
        self.releases: list[WalkedRelease] = []
        self.revokes: list[RevokeRecord] = []
        self.unknown = UnknownLeaves()
        self.start = start or Start()
        self.before, self.chain = self.start.before, self.start.revocations
        self._store = store
        self._reader = TileReader(store, checkpoint.size)
        self._checkpoint = checkpoint
        self._now = now
        self._rows = rows

    def again(self) -> LogWalk:
        """Another walk over the same leaves."""
        return LogWalk(self._store, self._checkpoint, self._now, self.start, rows=self._rows)

    def whole(self) -> LogWalk:
        """The same, walked to its end."""
        for _ in self:
            pass
        return self

    def __iter__(self) -> Iterator[tuple[bytes, bytes, AnyRecord | None]]:
        """The hash of each leaf, the leaf, and what it says; None for a row that is not parsed."""
        tree = merkle.CompactRange.of(self.before.size, self._reader.node)
        if tree.root() != self.before.root:
            raise VerificationFailed(f"the tiles of the log are not those of its first {self.before.size} leaves")
        pending = list[RevokeRecord]()
        first, skipped = divmod(self.before.size, WIDTH)
        for number in range(first, -(-self._checkpoint.size // WIDTH)):
            for leaf in self._reader.entries(number)[skipped if number == first else 0 :]:
                hashed = merkle.leaf_hash(leaf)
                tree.append(hashed)
                record = parse_record(leaf) if self._rows or not is_row(leaf) else None
                if record is None or isinstance(record, DigestRecord):
                    self.unknown.add_row(technology_of(leaf))
                    pending.clear()
                elif isinstance(record, RevokeRecord):
                    pending.append(record)
                elif isinstance(record, ReleaseRecord):
                    self._add(record, pending)
                    pending.clear()
                    self.before = self.before.after(record, tree.size, tree.root())
                else:  # whatever it is, it is no revocation: those before it are not right before the release
                    self.unknown.add_record(record.type)
                    pending.clear()
                yield hashed, leaf, record
        if tree.root() != self._checkpoint.root:
            raise VerificationFailed("the entries of the log are not those of its checkpoint")
        if self.before.size != tree.size:
            raise FalseRecord(f"leaf {tree.size - 1} of the log is not the record of a release")

    def _add(self, record: ReleaseRecord, came: list[RevokeRecord]) -> None:
        self.revokes += came
        self.chain = self.chain.then(came)
        false = [*false_claims(record, self.before, self.chain, self._now)]
        if not self.start.before.size and (why := false_list(record, self.revokes)):
            false.append(why)
        self.releases.append(WalkedRelease(record, tuple(came), tuple(false), tuple(steps_back(record, self.before))))
