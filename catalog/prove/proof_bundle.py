"""Proof bundles, which `ldcat prove` writes: a row of a log, its status at one checkpoint, and all revocations.

A bundle is JSON with one signed checkpoint, and with the lines of two C2SP tlog-proofs that precede it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from catalog.errors import MalformedInput, MalformedRecord
from catalog.log.records import canonical_json
from catalog.log.revocation_list import Revocation, checked
from catalog.transparency.note import Note
from catalog.transparency.proof import InclusionProof, TlogProof
from catalog.wire import Wire, decode_json

FORMAT = "ldcat-proof/2"
FORMAT_1 = "ldcat-proof/1"
"""Two tlog-proofs, each with the checkpoint; written by ldcat before it wrote FORMAT."""

MAX_BUNDLE = 16 << 20
"""Bytes: the largest bundle that is read."""


class _Format(msgspec.Struct, frozen=True):
    """The field that says what the others are."""

    format: str


class _BundleWire(Wire, frozen=True):
    """checkpoint: a signed note. row, status: the lines of a tlog-proof before its blank line."""

    format: str
    checkpoint: str
    row: str
    status: str
    revocations: list[Revocation]


class _Bundle1Wire(Wire, frozen=True):
    """row, status: a tlog-proof."""

    format: str
    row: str
    status: str
    revocations: list[Revocation]


@dataclass(frozen=True, slots=True)
class ProofBundle:
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
    def parse(cls, data: bytes) -> ProofBundle:
        """Parse a bundle in either format. Raises MalformedInput for any deviation from it."""
        if len(data) > MAX_BUNDLE:
            raise MalformedInput(f"the proof bundle has more than {MAX_BUNDLE} bytes")
        if b"\n" in data.rstrip(b"\n"):
            raise MalformedInput("more than one line: a proof bundle is one", "verify the lines one at a time")
        kind = decode_json(data, _Format, "proof bundle").format
        if kind == FORMAT:
            wire = decode_json(data, _BundleWire, "proof bundle")
            row, status = (InclusionProof.parse(text.encode()) for text in (wire.row, wire.status))
            return cls._of(Note.parse(wire.checkpoint.encode()), row, status, wire.revocations)
        if kind == FORMAT_1:
            return cls._of_format_1(decode_json(data, _Bundle1Wire, "proof bundle"))
        raise MalformedRecord(f"proof bundle: format {kind[:40]!r} is neither {FORMAT!r} nor {FORMAT_1!r}")

    @classmethod
    def _of_format_1(cls, wire: _Bundle1Wire) -> ProofBundle:
        row, status = (TlogProof.parse(text.encode()) for text in (wire.row, wire.status))
        if row.checkpoint != status.checkpoint:
            raise MalformedInput("the two proofs of the bundle have different checkpoints")
        return cls._of(row.checkpoint, row.inclusion, status.inclusion, wire.revocations)

    @classmethod
    def _of(
        cls, checkpoint: Note, row: InclusionProof, status: InclusionProof, revocations: list[Revocation]
    ) -> ProofBundle:
        if row.extra is None or status.extra is None:
            raise MalformedInput("a proof of the bundle lacks its leaf")
        return cls(checkpoint, row, status, tuple(checked(revocations)))

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
        return hashlib.sha256(self.revocations_json).hexdigest()


def _as_json(entry: Revocation) -> dict[str, object]:
    return {"selector": entry.selector, "severity": entry.severity, "reason": entry.reason}
