"""The leaves of a log at a checkpoint, verified by their inclusion before anything that they say is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from catalog.errors import FalseRecord, MalformedRecord, VerificationFailed
from catalog.query.published import PublishedRelease
from catalog.release.log_folder import LogFolder
from catalog.release.records import ReleaseRecord, RevokeRecord, parse_record
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader


def log_of(release: PublishedRelease) -> LogFolder:
    """The log that a release is of, to be read."""
    return release.source or LogFolder(Path(release.log))


def record_of(release: PublishedRelease) -> ReleaseRecord:
    """What the log says of a release; raises what reading it does."""
    checkpoint = Checkpoint(release.origin, release.size, bytes.fromhex(release.root))
    records = LogReader(log_of(release), checkpoint).releases()
    return next(one for one in records if one.release == release.number)


class LogReader:
    """Tiles and bundles are untrusted; whoever gives the checkpoint has verified who signed it, or says so."""

    def __init__(self, log: Store, checkpoint: Checkpoint) -> None:
        self._reader = TileReader(log, checkpoint.size)
        self._checkpoint = checkpoint
        self._bundles: dict[int, list[bytes]] = {}

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
        """The last one first, each by what the one after it says; raises as `release_ending`."""
        size = self._checkpoint.size
        if not size:
            raise MalformedRecord("the log is empty", "ldcat publish makes its first release")
        while size:
            record = self.release_ending(size)
            yield record
            size = record.previous_size

    def release_ending(self, size: int) -> ReleaseRecord:
        """The record that is the last of so many leaves; raises as `leaf`, and FalseRecord for another leaf there."""
        record = parse_record(self.leaf(size - 1))
        if not isinstance(record, ReleaseRecord):
            raise FalseRecord(f"leaf {size - 1} of the log is not the record of a release, as it should be")
        if not 0 <= record.previous_size < size:
            raise FalseRecord(f"release {record.release} says that {record.previous_size} leaves were before it")
        return record

    def revokes_of(self, record: ReleaseRecord, size: int) -> list[RevokeRecord]:
        """What came with a release, the newest last: records right before its own. size: leaves up to that one.

        Raises as `leaf`.
        """
        found: list[RevokeRecord] = []
        for index in range(size - 2, record.previous_size - 1, -1):
            if not isinstance(revoke := parse_record(self.leaf(index)), RevokeRecord):
                break
            found.append(revoke)
        return found[::-1]

    def revokes(self, size: int | None = None) -> list[RevokeRecord]:
        """Those of all releases in so many leaves, by default all, the newest last; raises as `releases`."""
        size, found = self._checkpoint.size if size is None else size, list[list[RevokeRecord]]()
        while size:
            record = self.release_ending(size)
            found.append(self.revokes_of(record, size))
            size = record.previous_size
        return [revoke for of_release in reversed(found) for revoke in of_release]
