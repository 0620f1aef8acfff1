"""A walk over every leaf of a log, in order: what its release records say is compared with the leaves before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.release.records import Record, ReleaseRecord, RevokeRecord, parse_record
from catalog.release.release_rules import Before, false_claims, false_list
from catalog.release.revocation_chain import RevocationChain
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader


@dataclass(frozen=True, slots=True)
class WalkedRelease:
    """A release record as it stands in a log. first: index of its first leaf. false: what does not follow, in lines.

    trust_before: the trust version of the release before.
    """

    record: ReleaseRecord
    first: int
    false: tuple[str, ...]
    trust_before: int | None

    @property
    def steps_back(self) -> str | None:
        """What is odd and may be right: a trust version that goes back takes a false one back, or hides a newer one."""
        named = self.record.trust_version or 0
        if named >= (self.trust_before or 0):
            return None
        return (
            f"its trust version is {self.record.trust_version}, and that of the release before was {self.trust_before}"
        )


class LogWalk:
    """Iterate over it once; then `releases` and `revokes` have what the log says, and `before` what comes next follows.

    now: seconds since 1970. Raises what reading the log does, MalformedRecord for a leaf that is no record and for a
    log that does not end with a release, and VerificationFailed for entries that are not those of the checkpoint.
    """

    def __init__(self, store: Store, checkpoint: Checkpoint, now: int) -> None:
        self.releases: list[WalkedRelease] = []
        self.revokes: list[RevokeRecord] = []
        self.before = Before()
        self._store = store
        self._reader = TileReader(store, checkpoint.size)
        self._checkpoint = checkpoint
        self._now = now

    def again(self) -> LogWalk:
        """Another walk over the same leaves."""
        return LogWalk(self._store, self._checkpoint, self._now)

    def __iter__(self) -> Iterator[tuple[bytes, bytes, Record]]:
        """The hash of each leaf, the leaf, and what it says."""
        tree, chain, pending = merkle.CompactRange(), RevocationChain(), list[RevokeRecord]()
        for number in range(-(-self._checkpoint.size // WIDTH)):
            for leaf in self._reader.entries(number):
                hashed = merkle.leaf_hash(leaf)
                tree.append(hashed)
                record = parse_record(leaf)
                if isinstance(record, RevokeRecord):
                    pending.append(record)
                elif isinstance(record, ReleaseRecord):
                    self.revokes += pending
                    chain, pending = chain.then(pending), []
                    self._add(record, chain)
                    self.before = self.before.after(record, tree.size, tree.root(), self._now)
                yield hashed, leaf, record
        if tree.root() != self._checkpoint.root:
            raise VerificationFailed("the entries of the log are not those of its checkpoint")
        if self.before.size != tree.size:
            raise MalformedRecord(f"leaf {tree.size - 1} of the log is not the record of a release")

    def _add(self, record: ReleaseRecord, chain: RevocationChain) -> None:
        false = [*false_claims(record, self.before, chain, self._now)]
        if why := false_list(record, self.revokes):
            false.append(why)
        last = self.releases[-1].record.trust_version if self.releases else None
        self.releases.append(WalkedRelease(record, self.before.size, tuple(false), last))
