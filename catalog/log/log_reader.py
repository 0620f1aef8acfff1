"""The leaves of a log at a checkpoint. The inclusion of each one is verified before its contents are used."""

from __future__ import annotations

from catalog.errors import FalseRecord, MalformedRecord, VerificationFailed
from catalog.log.leaf_texts import RECORD_TYPES
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import DAMAGED, WIDTH, TileReader
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from catalog.fast.published import PublishedRelease
    from catalog.log.log_folder import LogFolder
    from catalog.log.records import AnyRecord, ReleaseRecord, RevokeRecord
    from catalog.rows.unknown import UnknownLeaves
    from catalog.transparency.tiles import Store

_RELEASE = b'"type":"release"'
_KEPT = 64
"""Entry bundles: how many are cached."""


def open_log(release: PublishedRelease) -> LogFolder:
    """Open the log of a release for reading."""
    from pathlib import Path

    from catalog.log.log_folder import LogFolder

    return release.source or LogFolder(Path(release.log))


def read_release_record(release: PublishedRelease) -> ReleaseRecord:
    """The release record of a release. Raises as LogReader.spans."""
    checkpoint = Checkpoint(release.origin, release.size, bytes.fromhex(release.root))
    records = LogReader(open_log(release), checkpoint).releases()
    return next(one for one in records if one.release == release.number)


class ReleaseSpan(Value):
    """A release and its leaves.

    record: the release record, the leaf at index `end - 1`.
    first: index of its first leaf.
    end: index after its last leaf.
    """

    record: ReleaseRecord
    first: int
    end: int


class LogReader:
    """Reads leaves from untrusted tiles and bundles. The caller has verified who signed the checkpoint.

    parse: what parses a leaf, and may raise further errors; None for `parse_record`.
    """

    def __init__(self, log: Store, checkpoint: Checkpoint, parse: Callable[[bytes], AnyRecord] | None = None) -> None:
        self._reader = TileReader(log, checkpoint.size)
        self._leaves: Mapping[int, bytes] = getattr(log, "leaves", {})
        self._checkpoint = checkpoint
        self._bundles: dict[int, list[bytes]] = {}
        self._unknown: dict[int, str] = {}
        self._parse = parse or _parse_record()

    @property
    def unknown(self) -> UnknownLeaves:
        """The records read so far whose type this version does not know."""
        from collections import Counter

        from catalog.rows.unknown import UnknownLeaves

        return UnknownLeaves(Counter(self._unknown.values()))

    @property
    def size(self) -> int:
        """Number of leaves of the checkpoint."""
        return self._checkpoint.size

    def leaf(self, index: int) -> bytes:
        """A leaf. Raises Unreadable, MalformedInput, VerificationFailed if it is not in the tree."""
        return self.proof(index)[0]

    def proof(self, index: int) -> tuple[bytes, list[bytes]]:
        """A leaf and its inclusion proof. Raises as `leaf`."""
        leaf, found = self.entry(index), self._checkpoint
        hashes = merkle.inclusion_proof(index, found.size, self._reader.node)
        try:
            merkle.verify_inclusion(merkle.leaf_hash(leaf), index, found.size, hashes, found.root)
        except VerificationFailed as error:
            fault = self._reader.proof_fault(index) or "files in tile, or the checkpoint, were changed"
            raise VerificationFailed(f"{error}: {fault}", DAMAGED) from error
        return leaf, hashes

    def entry(self, index: int) -> bytes:
        """The entry at an index, for searches: only `proof` verifies that it is in the tree. Raises as `leaf`."""
        entry = self._leaves[index] if index in self._leaves else self._in_bundle(index)
        if fault := self._reader.entry_fault(index, merkle.leaf_hash(entry)):
            raise VerificationFailed(fault, DAMAGED)
        return entry

    def _in_bundle(self, index: int) -> bytes:
        number, at = divmod(index, WIDTH)
        if number not in self._bundles:
            if len(self._bundles) >= _KEPT:
                del self._bundles[next(iter(self._bundles))]
            self._bundles[number] = self._reader.entries(number)
        return self._bundles[number][at]

    def check_follows(self, before: Checkpoint) -> None:
        """Raises VerificationFailed unless the checkpoint is consistent with an earlier one."""
        found = self._checkpoint
        if before.size:
            proof = merkle.consistency_proof(before.size, found.size, self._reader.node)
            merkle.verify_consistency(before.size, found.size, proof, before.root, found.root)

    def root_at(self, size: int) -> bytes:
        """The root hash of the first `size` leaves. Raises VerificationFailed if tiles differ from the checkpoint."""
        found = self._checkpoint
        prefix = merkle.root_hash(size, self._reader.node)
        if size:
            proof = merkle.consistency_proof(size, found.size, self._reader.node)
            merkle.verify_consistency(size, found.size, proof, prefix, found.root)
        return prefix

    def releases(self) -> Iterator[ReleaseRecord]:
        """The release records, the last one first. Raises as `spans`."""
        return (span.record for span in self.spans())

    def spans(self, end: int | None = None) -> Iterator[ReleaseSpan]:
        """The releases in the first `end` leaves, by default all, the last one first.

        Raises as `span`, MalformedRecord for an empty log.
        """
        end = self._checkpoint.size if end is None else end
        if not end:
            raise MalformedRecord("the log is empty", "ldcat publish makes its first release")
        while end:
            found = self.span(end)
            yield found
            end = found.first

    def span(self, end: int) -> ReleaseSpan:
        """The release whose record is leaf `end - 1`. Raises as `release`.

        If the previous_size of its record cannot be right, the previous release is searched, leaf by leaf.
        """
        record = self.release(end)
        if self.leads_back(record, end):
            return ReleaseSpan(record, record.previous_size, end)
        found = (index + 1 for index in range(end - 2, -1, -1) if _RELEASE in self.entry(index))
        return ReleaseSpan(record, next((size for size in found if self._release(size - 1)), 0), end)

    def release(self, end: int) -> ReleaseRecord:
        """The release record at leaf `end - 1`. Raises as `leaf`, FalseRecord if it is another record."""
        record = self._release(end - 1)
        if record is None:
            raise FalseRecord(f"leaf {end - 1} of the log is not a release record")
        return record

    def leads_back(self, record: ReleaseRecord, end: int) -> bool:
        """Whether a record's previous_size can be the end of the previous release. end: leaves up to the record."""
        first = record.previous_size
        if not first:
            return record.release == 1
        return 0 < first < end and (before := self._release(first - 1)) is not None and before.release < record.release

    def read_revokes(self, span: ReleaseSpan) -> list[RevokeRecord]:
        """The revoke records of a release, right before its release record, the newest last. Raises as `leaf`."""
        found: list[RevokeRecord] = []
        for index in range(span.end - 2, span.first - 1, -1):
            if (revoke := self._record(index)).type != "revoke":
                break
            found.append(revoke)  # type: ignore[arg-type]
        return found[::-1]

    def revokes(self, end: int | None = None) -> list[RevokeRecord]:
        """The revoke records in the first `end` leaves, by default all, the newest last. Raises as `spans`."""
        found = [self.read_revokes(span) for span in self.spans(end)]
        return [revoke for of_release in reversed(found) for revoke in of_release]

    def _release(self, index: int) -> ReleaseRecord | None:
        """The release record at an index; None if it is another record."""
        record = self._record(index)
        return record if record.type == "release" else None  # type: ignore[return-value]

    def _record(self, index: int) -> AnyRecord:
        record = self._parse(self.leaf(index))
        if record.type not in RECORD_TYPES:
            self._unknown[index] = record.type
        return record


def _parse_record() -> Callable[[bytes], AnyRecord]:
    from catalog.log.records import parse_record  # msgspec takes longer to load than a proof to make

    return parse_record
