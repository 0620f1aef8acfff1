"""Prove: find the leaf of a row in a log, and make a bundle for somebody who has neither the log nor the catalog.

A digest may have several records: a row for each configuration, and one for each endorsement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import lookup
from catalog.fast.published import PublishedRelease
from catalog.log.leaf_search import find_leaf
from catalog.log.log_folder import LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.records import encode_leaf
from catalog.log.revocation_list import Revocation, read_revocations
from catalog.prove.proof_bundle import ProofBundle
from catalog.rows.digest_record import digest_record
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.transparency.proof import InclusionProof
from catalog.verify.verify_release import read_checkpoint, release_at


class Prover:
    """Makes proofs at the checkpoint of a log. It verifies no signatures; whoever reads a proof does."""

    def __init__(self, log: LogFolder) -> None:
        self._note: Note = read_checkpoint(log)
        self._checkpoint = Checkpoint.parse(self._note.text)
        self._reader = LogReader(log, self._checkpoint)
        self._releases = list(self._reader.spans())
        self._release = release_at(log, None, self._reader, self._checkpoint)

    @property
    def release(self) -> PublishedRelease:
        """The last release of the log, unverified."""
        return self._release

    def prove_digest(
        self, digest: LaunchDigest, *, warn: Callable[[str], None], catalog: Catalog | None = None
    ) -> list[ProofBundle]:
        """A proof for each configuration that a catalog has for a digest, then for each endorsement. Raises as `prove`.

        warn: called if the index is damaged.
        catalog: of a release of the log; None for that of the last release.
        """
        catalog = catalog or Catalog.open_release(self._release)
        leaves = sorted(
            {encode_leaf(digest_record(match.row)) for match in lookup(catalog, digest, warn=warn) if match.listed}
        )
        endorsed = sorted(map(encode_leaf, catalog.endorsements.of(digest.value)))
        found = map(self.prove, (*leaves, *endorsed))
        return [bundle for bundle in found if bundle is not None]

    def prove(self, leaf: bytes) -> ProofBundle | None:
        """The proof of a row or an endorsed digest, given its leaf; None if the log does not have it.

        Raises as LogReader.proof.
        """
        index = self._find(leaf)
        if index is None:
            return None
        status = self._proof(self._checkpoint.size - 1)
        return ProofBundle(self._note, self._proof(index), status, self._revocations)

    @cached_property
    def _revocations(self) -> tuple[Revocation, ...]:
        return tuple(read_revocations(self._release))

    def _proof(self, index: int) -> InclusionProof:
        leaf, hashes = self._reader.proof(index)
        return InclusionProof(index, tuple(hashes), leaf)

    def _find(self, leaf: bytes) -> int | None:
        """The index of a row or an endorsed digest in the log; None if no release has it."""
        found = (find_leaf(self._reader, release, leaf) for release in self._releases)
        return next((index for index in found if index is not None), None)
