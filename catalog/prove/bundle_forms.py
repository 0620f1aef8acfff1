"""Parses what a proof bundle contains: the bundle itself, in either format, and its records."""

from __future__ import annotations

import msgspec

from catalog.errors import MalformedInput, MalformedRecord
from catalog.log.leaf_texts import is_endorsed
from catalog.log.records import ReleaseRecord, parse_endorsed, parse_record, parse_row
from catalog.log.revocation_list import Revocation, checked
from catalog.prove.proof_bundle import FORMAT, FORMAT_1, ProofBundle, check_line
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.transparency.note import Note
from catalog.transparency.proof import InclusionProof, TlogProof
from catalog.wire import Wire, decode_json


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


def parse_bundle(data: bytes) -> ProofBundle:
    """Parse a bundle. Raises MalformedInput for any deviation from its format."""
    check_line(data)
    kind = decode_json(data, _Format, "proof bundle").format
    if kind == FORMAT:
        wire = decode_json(data, _BundleWire, "proof bundle")
        row, status = (InclusionProof.parse(text.encode()) for text in (wire.row, wire.status))
        return ProofBundle.of(Note.parse(wire.checkpoint.encode()), row, status, checked(wire.revocations))
    if kind == FORMAT_1:
        return _of_format_1(decode_json(data, _Bundle1Wire, "proof bundle"))
    raise MalformedRecord(f"proof bundle: format {kind[:40]!r} is neither {FORMAT!r} nor {FORMAT_1!r}")


def _of_format_1(wire: _Bundle1Wire) -> ProofBundle:
    row, status = (TlogProof.parse(text.encode()) for text in (wire.row, wire.status))
    if row.checkpoint != status.checkpoint:
        raise MalformedInput("the two proofs of the bundle have different checkpoints")
    return ProofBundle.of(row.checkpoint, row.inclusion, status.inclusion, checked(wire.revocations))


def parse_release(leaf: bytes) -> ReleaseRecord | None:
    """Parse the leaf of a release; None for another record. Raises as `parse_record`."""
    record = parse_record(leaf)
    return record if isinstance(record, ReleaseRecord) else None


def parse_proven(leaf: bytes) -> DigestRecord | EndorsedRecord:
    """Parse the leaf of a row or of an endorsed digest. Raises as `parse_row` and `parse_endorsed`."""
    return (parse_endorsed if is_endorsed(leaf) else parse_row)(leaf)
