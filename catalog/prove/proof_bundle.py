"""Proof bundles, which `ldcat prove` writes: a row of a log, its status at the same checkpoint, and all revocations.

A bundle is JSON that contains each proof as its C2SP text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from catalog.errors import MalformedInput, MalformedRecord
from catalog.log.records import canonical_json
from catalog.log.revocation_list import Revocation, checked
from catalog.transparency.proof import TlogProof
from catalog.wire import Wire, decode_json

FORMAT = "ldcat-proof/1"
MAX_BUNDLE = 16 << 20
"""Bytes: the largest bundle that is read."""


class _BundleWire(Wire, frozen=True):
    format: str
    row: str
    status: str
    revocations: list[Revocation]


@dataclass(frozen=True, slots=True)
class ProofBundle:
    """A proof bundle.

    row: proof of a digest record, with the record as its extra data.
    status: proof of the last release record at the same checkpoint, with the record as its extra data.
    revocations: the list of revocations at that checkpoint.
    """

    row: TlogProof
    status: TlogProof
    revocations: tuple[Revocation, ...]

    @classmethod
    def parse(cls, data: bytes) -> ProofBundle:
        """Parse a bundle. Raises MalformedInput for any deviation from the format."""
        if len(data) > MAX_BUNDLE:
            raise MalformedInput(f"the proof bundle has more than {MAX_BUNDLE} bytes")
        if b"\n" in data.rstrip(b"\n"):
            raise MalformedInput("more than one line: a proof bundle is one", "verify the lines one at a time")
        wire = decode_json(data, _BundleWire, "proof bundle")
        if wire.format != FORMAT:
            raise MalformedRecord(f"proof bundle: format {wire.format!r} is not {FORMAT!r}")
        row, status = (TlogProof.parse(text.encode()) for text in (wire.row, wire.status))
        if row.checkpoint != status.checkpoint:
            raise MalformedInput("the two proofs of the bundle have different checkpoints")
        if row.extra is None or status.extra is None:
            raise MalformedInput("a proof of the bundle lacks its leaf")
        return cls(row, status, tuple(checked(wire.revocations)))

    def __bytes__(self) -> bytes:
        listed = [_as_json(entry) for entry in self.revocations]
        proofs = {"row": bytes(self.row).decode(), "status": bytes(self.status).decode()}
        return canonical_json({"format": FORMAT, **proofs, "revocations": listed}) + b"\n"

    @property
    def revocations_json(self) -> bytes:
        """The list of revocations, byte for byte as published."""
        return canonical_json([_as_json(entry) for entry in self.revocations])

    @property
    def revocations_sha256(self) -> str:
        """SHA-256 of the published list, in hex."""
        return hashlib.sha256(self.revocations_json).hexdigest()


def _as_json(entry: Revocation) -> dict[str, object]:
    return {"selector": entry.selector, "severity": entry.severity, "reason": entry.reason}
