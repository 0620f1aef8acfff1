"""Prove: find the leaf of a row in a log, and make a bundle for somebody who has neither the log nor the catalog.

A digest may have several records: a row for each configuration, and one for each endorsement.
"""

from __future__ import annotations

from catalog.files.plain_json import canonical_json
from catalog.log.leaf_search import find_leaf
from catalog.log.log_reader import LogReader
from catalog.prove.proof_bundle import ProofBundle
from catalog.rows.fields import record_texts
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.proof import InclusionProof
from catalog.verify.releases_of_log import read_checkpoint, release_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from catalog.abi.digest import LaunchDigest
    from catalog.fast.published import PublishedRelease
    from catalog.log.log_folder import LogFolder
    from catalog.log.plain_log import PlainLog
    from catalog.log.records import AnyRecord
    from catalog.log.revocation_list import Revocation
    from catalog.store.catalog import Catalog
    from catalog.transparency.note import Note


class Prover:
    """Makes proofs at the checkpoint of a log. It verifies no signatures; whoever reads a proof does.

    parse: as for LogReader.
    """

    def __init__(self, log: LogFolder | PlainLog, parse: Callable[[bytes], AnyRecord] | None = None) -> None:
        self._note: Note = read_checkpoint(log)
        self._checkpoint = Checkpoint.parse(self._note.text)
        self._reader = LogReader(log, self._checkpoint, parse)
        self._releases = list(self._reader.spans())
        self._release = release_at(log, None, self._reader, self._checkpoint)
        self._read: tuple[Revocation, ...] | None = None

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
        from catalog.ask.lookup import lookup
        from catalog.log.records import encode_leaf
        from catalog.store.catalog import Catalog

        catalog = catalog or Catalog.open_release(self._release)
        rows = [match.row for match in lookup(catalog, digest, warn=warn) if match.listed]
        return self.prove_rows(rows, map(encode_leaf, catalog.endorsements.of(digest.value)))

    def prove_rows(self, rows: Iterable[Mapping[str, Any]], endorsed: Iterable[bytes] = ()) -> list[ProofBundle]:
        """A proof for each row that the log has, then for each endorsed digest. Raises as `prove`.

        rows: values by field. endorsed: leaves.
        """
        leaves = sorted({canonical_json(record_texts(row)) for row in rows})
        found = map(self.prove, (*leaves, *sorted(endorsed)))
        return [bundle for bundle in found if bundle is not None]

    def prove(self, leaf: bytes) -> ProofBundle | None:
        """The proof of a row or an endorsed digest, given its leaf; None if the log does not have it.

        Raises as LogReader.proof.
        """
        index = self._find(leaf)
        if index is None:
            return None
        status = self._proof(self._checkpoint.size - 1)
        return ProofBundle(self._note, self._proof(index), status, self._revocations())

    def _revocations(self) -> tuple[Revocation, ...]:
        if self._release.source is None and self._release.revokes_nothing():
            return ()
        if self._read is None:
            from catalog.log.revocation_list import read_revocations

            self._read = tuple(read_revocations(self._release))
        return self._read

    def _proof(self, index: int) -> InclusionProof:
        leaf, hashes = self._reader.proof(index)
        return InclusionProof(index, tuple(hashes), leaf)

    def _find(self, leaf: bytes) -> int | None:
        """The index of a row or an endorsed digest in the log; None if no release has it."""
        found = (find_leaf(self._reader, release, leaf) for release in self._releases)
        return next((index for index in found if index is not None), None)
