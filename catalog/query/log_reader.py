"""The leaves of a log at a checkpoint, verified by their inclusion before anything that they say is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.query.published import PublishedRelease
from catalog.release.log_folder import LogFolder
from catalog.release.records import ReleaseRecord, parse_record
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

    def releases(self) -> Iterator[ReleaseRecord]:
        """The last one first; raises as `leaf`, and MalformedRecord where the log does not end with a release."""
        size = self._checkpoint.size
        if not size:
            raise MalformedRecord("the log is empty", "ldcat publish makes its first release")
        while size:
            record = parse_record(self.leaf(size - 1))
            if not isinstance(record, ReleaseRecord) or not 0 <= record.previous_size < size:
                raise MalformedRecord(f"leaf {size - 1} of the log is not the record of a release")
            yield record
            size = record.previous_size
