"""Proof bundles, which `ldcat prove` writes: a row of a log, its status at one checkpoint, and all revocations.

A bundle is JSON with one signed checkpoint, and with the lines of two C2SP tlog-proofs that precede it.
"""

from __future__ import annotations

from catalog.errors import MalformedInput
from catalog.files.plain_json import canonical_json
from catalog.transparency.light_sha256 import sha256
from catalog.transparency.proof import InclusionProof, TlogProof
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.log.revocation_list import Revocation
    from catalog.transparency.note import Note

FORMAT = "ldcat-proof/2"
FORMAT_1 = "ldcat-proof/1"
"""Two tlog-proofs, each with the checkpoint; written by ldcat before it wrote FORMAT."""

MAX_BUNDLE = 16 << 20
"""Bytes: the largest bundle that is read."""


class ProofBundle(Value):
    """A proof bundle.

    checkpoint: the signed checkpoint of both proofs, unverified.
    row: proof of a digest record, with the record as its extra data.
    status: proof of the last release record, with the record as its extra data.
    revocations: the list of revocations at that checkpoint.
    """

    checkpoint: Note
    row: InclusionProof
    status: InclusionProof
    revocations: tuple[Revocation, ...]

    @classmethod
    def of(
        cls, checkpoint: Note, row: InclusionProof, status: InclusionProof, revocations: Sequence[Revocation]
    ) -> ProofBundle:
        """The bundle of some parts; raises MalformedInput if a proof has no leaf."""
        if row.extra is None or status.extra is None:
            raise MalformedInput("a proof of the bundle lacks its leaf")
        return cls(checkpoint, row, status, tuple(revocations))

    def __bytes__(self) -> bytes:
        proofs = {name: bytes(part).decode() for name, part in (("row", self.row), ("status", self.status))}
        listed = [_as_json(entry) for entry in self.revocations]
        checkpoint = bytes(self.checkpoint).decode()
        return canonical_json({"format": FORMAT, "checkpoint": checkpoint, **proofs, "revocations": listed}) + b"\n"

    @property
    def tlog_proof(self) -> TlogProof:
        """The proof of the row alone."""
        return TlogProof(self.row, self.checkpoint)

    @property
    def revocations_json(self) -> bytes:
        """The list of revocations, byte for byte as published."""
        return canonical_json([_as_json(entry) for entry in self.revocations])

    @property
    def revocations_sha256(self) -> str:
        """SHA-256 of the published list, in hex."""
        return sha256(self.revocations_json).hexdigest()


def _as_json(entry: Revocation) -> dict[str, object]:
    return {"selector": entry.selector, "severity": entry.severity, "reason": entry.reason}


def check_line(data: bytes) -> None:
    """Raises MalformedInput for what is too long, or for several lines."""
    if len(data) > MAX_BUNDLE:
        raise MalformedInput(f"the proof bundle has more than {MAX_BUNDLE} bytes")
    if b"\n" in data.rstrip(b"\n"):
        raise MalformedInput(
            "more than one line: a proof bundle is one", "verify the lines one at a time: sed -n 1p FILE is the first"
        )
