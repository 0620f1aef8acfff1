"""A walk over every leaf of a log, in order, which compares each release record with the leaves before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.errors import FalseRecord, VerificationFailed
from catalog.launch.hashing.tree_hashes import perfect_root
from catalog.launch.technology import technologies
from catalog.log.leaf_texts import read_technology
from catalog.log.leaves.leaf_block import Leaf, LeafBlock, LogPart, RowGroup
from catalog.log.leaves.read_leaves import log_parts
from catalog.log.leaves.tile_check import TileCheck
from catalog.log.log_folder import LogFolder
from catalog.log.records import ReleaseRecord, RevokeRecord
from catalog.log.release_rules import Before, false_claims, false_list, steps_back
from catalog.log.revocation_chain import RevocationChain
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.rows.unknown import UnknownLeaves
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import DAMAGED, Store, TileReader


@dataclass(frozen=True, slots=True)
class Start:
    """Where a walk begins.

    before: the log up to there, already verified.
    revocations: the hash chain over its revoke records.
    """

    before: Before = field(default_factory=Before)
    revocations: RevocationChain = field(default_factory=RevocationChain)


@dataclass(frozen=True, slots=True)
class WalkedRelease:
    """A release record with what was found about it.

    record: the record as it is in the log.
    revokes: the revoke records that came with it, the newest last.
    false: statements that do not follow from the leaves, one line each.
    steps_back: statements that are odd and may be right, one line each.
    """

    record: ReleaseRecord
    revokes: tuple[RevokeRecord, ...]
    false: tuple[str, ...]
    steps_back: tuple[str, ...]


class LogWalk:
    """Iterate over it once; then `releases` and `revokes` cover the leaves since `start`, `before` and `chain` all.

    checkpoint: whose leaves they are.
    unknown: the leaves since `start` that this version does not know.

    A revoke record counts if only other revoke records are between it and its release record, so that a reader who
    starts at the end of a release sees the same ones. now: seconds since 1970. rows: whether digest records are
    parsed; otherwise they are only hashed. tiles: whether the tiles are compared with the leaves; then `tiles` tells.

    Raises Unreadable, MalformedInput, MalformedRecord for a leaf that is not a record, FalseRecord for a log that does
    not end with a release record, and VerificationFailed for entries that are not those of the checkpoint.
    """

    def __init__(
        self,
        store: Store,
        checkpoint: Checkpoint,
        now: int,
        start: Start | None = None,
        *,
        rows: bool = True,
        tiles: bool = False,
    ) -> None:
        self.releases: list[WalkedRelease] = []
        self.revokes: list[RevokeRecord] = []
        self.unknown = UnknownLeaves()
        self.start = start or Start()
        self.before, self.chain = self.start.before, self.start.revocations
        self._store = store
        self._reader = TileReader(store, checkpoint.size)
        self.tiles = TileCheck(self._reader) if tiles else None
        self.checkpoint = checkpoint
        self._now = now
        self._rows = rows
        self._table: Sequence[RowGroup] = ()
        self._looked_at, self._all_known = 0, True  # the groups of the table

    def again(self) -> LogWalk:
        """A new walk over the same leaves."""
        return LogWalk(self._store, self.checkpoint, self._now, self.start, rows=self._rows)

    def whole(self) -> LogWalk:
        """The same walk, iterated to its end."""
        for _ in self:
            pass
        return self

    def leaves(self) -> Iterator[Leaf]:
        """As iterating over the walk, with every leaf by itself."""
        for part in self:
            yield from part.leaves() if isinstance(part, LeafBlock) else (part,)

    def __iter__(self) -> Iterator[LogPart]:
        """Yield the leaves in order: rows in blocks, and each other leaf by itself."""
        tree = merkle.CompactRange.of(self.before.size, self._reader.node)
        if tree.root() != self.before.root:
            raise VerificationFailed(f"the tiles of the log do not match its first {self.before.size} leaves")
        pending = list[RevokeRecord]()
        size = self.checkpoint.size
        for part in log_parts(
            self._reader, tree.size, size, rows=self._rows, root=_root_of(self._store), tiles=self.tiles
        ):
            if isinstance(part, LeafBlock):
                tree.extend(part.hashes, perfect_root)
                self._add_rows(part)
                pending.clear()
                yield part
                continue
            tree.append(part.hashed)
            record = part.record
            if record is None or isinstance(record, DigestRecord):
                self.unknown.add_row(read_technology(part.text))
                pending.clear()
            elif isinstance(record, EndorsedRecord):
                self.unknown.add_row(record.technology)
                pending.clear()
            elif isinstance(record, RevokeRecord):
                pending.append(record)
            elif isinstance(record, ReleaseRecord):
                self._add(record, pending)
                pending.clear()
                self.before = self.before.after(record, tree.size, tree.root())
            else:  # not a revocation, so that those before it are not right before the release record
                self.unknown.add_record(record.type)
                pending.clear()
            yield part
        if tree.root() != self.checkpoint.root:
            fault = self._reader.first_entry_fault()
            more = f": {fault}" if fault else ", and match its tiles"
            raise VerificationFailed(f"the entries of the log do not match its checkpoint{more}", DAMAGED)
        if self.before.size != tree.size:
            raise FalseRecord(f"leaf {tree.size - 1} of the log is not a release record")

    def _add_rows(self, block: LeafBlock) -> None:
        """Count the rows of unknown technologies."""
        if block.table is not self._table:
            self._table, self._looked_at, self._all_known = block.table, 0, True
        new = block.table[self._looked_at :]
        self._looked_at += len(new)
        self._all_known = self._all_known and all(group.technology in technologies() for group in new)
        if not self._all_known:
            for number in block.groups:
                self.unknown.add_row(block.table[number].technology)

    def _add(self, record: ReleaseRecord, came: list[RevokeRecord]) -> None:
        self.revokes += came
        self.chain = self.chain.then(came)
        false = [*false_claims(record, self.before, self.chain, self._now)]
        if not self.start.before.size and (why := false_list(record, self.revokes)):
            false.append(why)
        self.releases.append(WalkedRelease(record, tuple(came), tuple(false), tuple(steps_back(record, self.before))))


def _root_of(store: Store) -> Path | None:
    """The folder of a local log that anybody may write to; a connection to a host is used by one thread."""
    return store.root if isinstance(store, LogFolder) and store.is_here and not store.is_private else None
