"""The leaves of a log at a checkpoint, verified by their inclusion before anything that they say is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import FalseRecord, MalformedRecord, VerificationFailed
from catalog.fast.published import PublishedRelease
from catalog.log.log_folder import LogFolder
from catalog.log.records import AnyRecord, ReleaseRecord, RevokeRecord, UnknownRecord, parse_record
from catalog.rows.unknown import UnknownLeaves
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader

_RELEASE = b'"type":"release"'
_KEPT = 64
"""Bundles of entries that are kept."""


def open_log(release: PublishedRelease) -> LogFolder:
    """The log that a release is of, to be read."""
    return release.source or LogFolder(Path(release.log))


def read_release_record(release: PublishedRelease) -> ReleaseRecord:
    """What the log says of a release; raises what reading it does."""
    checkpoint = Checkpoint(release.origin, release.size, bytes.fromhex(release.root))
    records = LogReader(open_log(release), checkpoint).releases()
    return next(one for one in records if one.release == release.number)


@dataclass(frozen=True, slots=True)
class ReleaseSpan:
    """A release, and which leaves are its own: from index `first` up to the one before `end`, which is its record."""

    record: ReleaseRecord
    first: int
    end: int


class LogReader:
    """Tiles and bundles are untrusted; whoever gives the checkpoint has verified who signed it, or says so."""

    def __init__(self, log: Store, checkpoint: Checkpoint) -> None:
        self._reader = TileReader(log, checkpoint.size)
        self._checkpoint = checkpoint
        self._bundles: dict[int, list[bytes]] = {}
        self._unknown: dict[int, str] = {}

    @property
    def unknown(self) -> UnknownLeaves:
        """Records of types that are not known, among those that were read by now."""
        return UnknownLeaves(Counter(self._unknown.values()))

    @property
    def size(self) -> int:
        """Leaves of the checkpoint."""
        return self._checkpoint.size

    def leaf(self, index: int) -> bytes:
        """Raises Unreadable, MalformedInput, VerificationFailed for a leaf that is not in the tree."""
        return self.proof(index)[0]

    def proof(self, index: int) -> tuple[bytes, list[bytes]]:
        """A leaf, and the hashes that lead from it to the root; raises as `leaf`."""
        leaf, found = self.entry(index), self._checkpoint
        hashes = merkle.inclusion_proof(index, found.size, self._reader.node)
        merkle.verify_inclusion(merkle.leaf_hash(leaf), index, found.size, hashes, found.root)
        return leaf, hashes

    def entry(self, index: int) -> bytes:
        """What the log has at a place, to find something by; `proof` says if it is in the tree. Raises as `leaf`."""
        number, at = divmod(index, WIDTH)
        if number not in self._bundles:
            if len(self._bundles) >= _KEPT:
                del self._bundles[next(iter(self._bundles))]
            self._bundles[number] = self._reader.entries(number)
        entry = self._bundles[number][at]
        if merkle.leaf_hash(entry) != self._reader.node(0, index):
            raise VerificationFailed(f"entry {index} of the log is not the one that its tile is of")
        return entry

    def check_follows(self, before: Checkpoint) -> None:
        """Raises VerificationFailed unless the log begins with that of an earlier checkpoint."""
        found = self._checkpoint
        if before.size:
            proof = merkle.consistency_proof(before.size, found.size, self._reader.node)
            merkle.verify_consistency(before.size, found.size, proof, before.root, found.root)

    def root_at(self, size: int) -> bytes:
        """The root of the first leaves, so many; raises VerificationFailed for tiles that are not of the checkpoint."""
        found = self._checkpoint
        prefix = merkle.root_hash(size, self._reader.node)
        if size:
            proof = merkle.consistency_proof(size, found.size, self._reader.node)
            merkle.verify_consistency(size, found.size, proof, prefix, found.root)
        return prefix

    def releases(self) -> Iterator[ReleaseRecord]:
        """The last one first; raises as `spans`."""
        return (span.record for span in self.spans())

    def spans(self, end: int | None = None) -> Iterator[ReleaseSpan]:
        """The releases in so many leaves, by default all, the last one first; raises as `span`.

        Raises MalformedRecord for an empty log.
        """
        end = self._checkpoint.size if end is None else end
        if not end:
            raise MalformedRecord("the log is empty", "ldcat publish makes its first release")
        while end:
            found = self.span(end)
            yield found
            end = found.first

    def span(self, end: int) -> ReleaseSpan:
        """The release that ends with so many leaves; raises as `release`.

        If its record cannot be right about where the release before ends, that one is looked for, leaf by leaf.
        """
        record = self.release(end)
        if self.leads_back(record, end):
            return ReleaseSpan(record, record.previous_size, end)
        found = (index + 1 for index in range(end - 2, -1, -1) if _RELEASE in self.entry(index))
        return ReleaseSpan(record, next((size for size in found if self._release(size - 1)), 0), end)

    def release(self, end: int) -> ReleaseRecord:
        """The record that is the last of so many leaves; raises as `leaf`, FalseRecord if that is no release."""
        record = self._release(end - 1)
        if record is None:
            raise FalseRecord(f"leaf {end - 1} of the log is not the record of a release, as it should be")
        return record

    def leads_back(self, record: ReleaseRecord, end: int) -> bool:
        """Whether the record of a release may be right about where the one before ends. end: leaves up to its own."""
        first = record.previous_size
        if not first:
            return record.release == 1
        return 0 < first < end and (before := self._release(first - 1)) is not None and before.release < record.release

    def read_revokes(self, span: ReleaseSpan) -> list[RevokeRecord]:
        """What came with a release, the newest last: records right before its own. Raises as `leaf`."""
        found: list[RevokeRecord] = []
        for index in range(span.end - 2, span.first - 1, -1):
            if not isinstance(revoke := self._record(index), RevokeRecord):
                break
            found.append(revoke)
        return found[::-1]

    def revokes(self, end: int | None = None) -> list[RevokeRecord]:
        """Those of the releases in so many leaves, by default all, the newest last; raises as `spans`."""
        found = [self.read_revokes(span) for span in self.spans(end)]
        return [revoke for of_release in reversed(found) for revoke in of_release]

    def _release(self, index: int) -> ReleaseRecord | None:
        """The record at an index; None where that is not of a release."""
        record = self._record(index)
        return record if isinstance(record, ReleaseRecord) else None

    def _record(self, index: int) -> AnyRecord:
        record = parse_record(self.leaf(index))
        if isinstance(record, UnknownRecord):
            self._unknown[index] = record.type
        return record
