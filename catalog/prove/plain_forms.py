"""Parses the usual proof bundle without msgspec: of a row, of ldcat 0.2.0 or later, in a log that revokes nothing.

The parsers are strict, so that what they accept means the same as in bundle_forms.py, which is the definition; they
raise NotPlain for all else, valid or not. tests/prove/test_plain_proof.py compares both.
"""

from __future__ import annotations

from catalog.files.plain_json import NotPlain, canonical_json, read_plain_json
from catalog.prove.proof_bundle import FORMAT, ProofBundle, check_line
from catalog.rows.plain_row import PlainRow
from catalog.transparency.note import Note
from catalog.transparency.proof import InclusionProof
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar

    from catalog.log.records import ReleaseRecord
    from catalog.rows.digest_record import DigestRecord

_TEXTS = ("format", "checkpoint", "row", "status")
_NUMBER_LIMIT = 1 << 53


class PlainRelease(Value):
    """As ReleaseRecord, with the fields that a proof needs."""

    release: int
    time: int
    revocations_sha256: str
    previous_size: int
    trust_version: int | None
    revocations_count: int
    revocations_chain: str
    artifacts: Mapping[str, str]
    previous_root: str
    type: ClassVar[str] = "release"


def parse_bundle(data: bytes) -> ProofBundle:
    """As that of bundle_forms.py. Raises NotPlain, also for a bundle with revocations."""
    check_line(data)
    found = read_plain_json(data)
    if not isinstance(found, dict) or found.keys() != {*_TEXTS, "revocations"} or found["revocations"] != []:
        raise NotPlain
    kind, checkpoint, row, status = (_text(found[name]) for name in _TEXTS)
    if kind != FORMAT:
        raise NotPlain
    of_row, of_status = (InclusionProof.parse(_utf8(text)) for text in (row, status))
    return ProofBundle.of(Note.parse(_utf8(checkpoint)), of_row, of_status, ())


def parse_release(leaf: bytes) -> ReleaseRecord:
    """As that of bundle_forms.py. Raises NotPlain."""
    found = _canonical(leaf)
    if found.keys() != {"type", *PlainRelease.FIELDS} or found.pop("type") != "release":
        raise NotPlain
    record = PlainRelease(**found)
    numbers = (record.release, record.time, record.previous_size, record.revocations_count)
    if not all(type(number) is int and 0 <= number < _NUMBER_LIMIT for number in numbers):
        raise NotPlain
    version = record.trust_version
    if version is not None and not (type(version) is int and 1 <= version < _NUMBER_LIMIT):
        raise NotPlain
    if type(record.artifacts) is not dict or not _is_sha256(record.revocations_chain):
        raise NotPlain
    for text in (record.revocations_sha256, record.previous_root, *record.artifacts.values()):
        _text(text)
    return record  # type: ignore[return-value] # it has the same fields


def parse_proven(leaf: bytes) -> DigestRecord:
    """As that of bundle_forms.py, for a row. Raises NotPlain."""
    found = PlainRow.of(_canonical(leaf))
    if found is None:
        raise NotPlain
    return found  # type: ignore[return-value] # it has the same fields


def _canonical(leaf: bytes) -> dict[str, Any]:
    found = read_plain_json(leaf)
    if not isinstance(found, dict) or canonical_json(found) != leaf:
        raise NotPlain
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotPlain
    return value


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NotPlain from error


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
