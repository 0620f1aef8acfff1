"""Prove: the leaf of a row found in a log, and the bundle that shows it to whoever has neither log nor catalog.

Rows of a release stand sorted between the release before and its own record, so that a row is found by halving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from catalog.abi.digest import LaunchDigest
from catalog.errors import MalformedRecord, Unreadable, VerificationFailed
from catalog.query.lookup import lookup
from catalog.query.match import Match
from catalog.query.proof_bundle import ProofBundle, parse_revocations
from catalog.query.store import Catalog
from catalog.release import manifest
from catalog.release.log_folder import LogFolder
from catalog.release.publish import REVOCATIONS, release_path
from catalog.release.records import DigestRecord, ReleaseRecord, leaf_of, parse_record
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.transparency.proof import TlogProof
from catalog.transparency.tiles import WIDTH, TileReader

MAX_REVOCATIONS = 8 << 20
"""Bytes of a list of revocations."""


class Prover:
    """Makes proofs at the checkpoint of a log: whoever reads them verifies signatures, this does not."""

    def __init__(self, log: LogFolder) -> None:
        note = log.checkpoint()
        if note is None:
            raise Unreadable(f"no log at {log.root}", "ldcat publish makes it")
        self._log = log
        self._note: Note = note
        self._checkpoint = Checkpoint.parse(note.text)
        self._reader = TileReader(log, self._checkpoint.size)
        self._bundles: dict[int, list[bytes]] = {}
        self._releases = list(self._history())
        revocations = log.read(f"{release_path(self._releases[0].release)}/{REVOCATIONS}", MAX_REVOCATIONS)
        self._revocations = tuple(parse_revocations(revocations))

    def prove_digest(self, digest: LaunchDigest, *, warn: Callable[[str], None]) -> list[ProofBundle]:
        """A proof for each configuration that the catalog of the last release has for a digest; raises as `prove`.

        warn: told of a damaged index. What the catalog says is what its release record names.
        """
        release = self._releases[0]
        catalog = Catalog.open(self._log.root / release_path(release.release))
        if sha256(catalog.manifest.to_json()).hexdigest() != release.artifacts.get(manifest.NAME):
            raise VerificationFailed(f"{catalog.folder} is not the catalog of release {release.release}")
        leaves = sorted({leaf_of(_record_of(match)) for match in lookup(catalog, digest, warn=warn) if match.listed})
        found = map(self.prove, leaves)
        return [bundle for bundle in found if bundle is not None]

    def prove(self, leaf: bytes) -> ProofBundle | None:
        """The proof of a row, by its leaf; None where the log does not have it. Raises what reading the log does."""
        index = self._find(leaf)
        if index is None:
            return None
        last = self._checkpoint.size - 1
        return ProofBundle(self._proof(index, leaf), self._proof(last, self._leaf(last)), self._revocations)

    def _proof(self, index: int, leaf: bytes) -> TlogProof:
        """Checked before it is given away: a damaged tile is noticed here."""
        found = self._checkpoint
        hashes = merkle.inclusion_proof(index, found.size, self._reader.node)
        merkle.verify_inclusion(merkle.leaf_hash(leaf), index, found.size, hashes, found.root)
        return TlogProof(index, tuple(hashes), self._note, leaf)

    def _history(self) -> Iterator[ReleaseRecord]:
        """The releases, the last one first."""
        size = self._checkpoint.size
        while size:
            record = parse_record(self._leaf(size - 1))
            if not isinstance(record, ReleaseRecord) or not 0 <= record.previous_size < size:
                raise MalformedRecord(f"leaf {size - 1} of the log is not the record of a release")
            yield record
            size = record.previous_size

    def _find(self, leaf: bytes) -> int | None:
        """The index of a row, in one of the releases."""
        end = self._checkpoint.size - 1
        for release in self._releases:
            low, high = release.previous_size, end
            while low < high:
                middle = (low + high) // 2
                found = self._leaf(middle)
                if found == leaf:
                    return middle
                is_row = b'"type":"digest"' in found  # rows come first; then what was revoked
                low, high = (middle + 1, high) if is_row and found < leaf else (low, middle)
            end = release.previous_size - 1
        return None

    def _leaf(self, index: int) -> bytes:
        number, at = divmod(index, WIDTH)
        if number not in self._bundles:
            self._bundles[number] = self._reader.entries(number)
        leaf = self._bundles[number][at]
        if merkle.leaf_hash(leaf) != self._reader.node(0, index):
            raise VerificationFailed(f"entry {index} of the log is not the one that its tile is of")
        return leaf


def _record_of(match: Match) -> DigestRecord:
    hashes, signature, features = match.kernel_hashes, match.vcpu_signature, match.sev_features
    return DigestRecord(
        type="digest",
        launch_digest=match.launch_digest.hex(),
        technology=match.technology,
        firmware_sha256=match.firmware["sha256"].hex(),
        kernel_hashes_sha256=None if hashes is None else hashes["table_sha256"].hex(),
        vmm=match.vmm,
        vcpus=match.vcpus,
        vcpu_signature=None if signature is None else f"{signature:#010x}",
        sev_features=None if features is None else f"{features:#x}",
    )
