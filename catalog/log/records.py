"""Records: the leaves of a catalog's log, in canonical JSON: keys sorted, no blanks, ASCII, digests in hex.

A digest record contains no time, release or host, so that everyone who computes the same rows gets the same leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from catalog.errors import MalformedRecord
from catalog.files.plain_json import canonical_json
from catalog.log.leaf_texts import RECORD_TYPES, is_row
from catalog.log.revocation_text import check_revocation
from catalog.rows.digest_record import DigestRecord, check_identity
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.rows.fields import UNKNOWN_OF_BASES
from catalog.wire import Wire, decode_json

Severity = Literal["revoked", "deprecated", "restored"]


_ABSENT: Any = object()
"""The value of a field that a record does not have, or that is not known of it: no selector has it."""


def selectable_value(record: DigestRecord | EndorsedRecord, name: str) -> Any:
    """The value of a field that a selector names; null is None, also of an optional field that the record lacks.

    Null of a row's kernel hashes says that none are measured, except where the row follows from a base.
    """
    if name in UNKNOWN_OF_BASES and getattr(record, "base_digest", UNSET) is not UNSET:
        return _ABSENT
    value = getattr(record, name, _ABSENT)
    return None if value is UNSET else value


class RevokeRecord(Wire, frozen=True):
    """Revokes, deprecates or restores rows and endorsed digests. Of those that select one, the newest counts.

    selector: fields and their values; selects all rows and endorsed digests that have all of these fields with these
    values.
    severity: what becomes of them.
    reason: one line for people.
    """

    type: Literal["revoke"]
    selector: dict[str, str | int | None]
    severity: Severity
    reason: str

    def selects(self, record: DigestRecord | EndorsedRecord) -> bool:
        """Whether a row or an endorsed digest has every field of the selector, with its value."""
        return all(selectable_value(record, name) == value for name, value in self.selector.items())

    @property
    def selector_text(self) -> str:
        """The selector as text for people."""
        return ", ".join(f"{name} {'none' if value is None else value}" for name, value in self.selector.items())


class ReleaseRecord(Wire, frozen=True):
    """The last leaf of every published checkpoint. Documented in docs/log.md.

    release: number of the release; the first one is 1.
    time: seconds since 1970.
    artifacts: SHA-256 of each file, in hex, by path.
    revocations_sha256: of the file that lists all revoke records, in hex.
    previous_size, previous_root: size and root hash (hex) of the previous checkpoint.
    trust_version: version of the trust note that the publisher uses; null if none was named yet.
    revocations_count, revocations_chain: the hash chain over all revoke records (revocation_chain.py); releases of
    ldcat 0.1.0 lack both.

    All fields but artifacts, time and trust_version follow from the leaves before it: release_rules.py recomputes them.
    """

    type: Literal["release"]
    release: int
    time: int
    artifacts: dict[str, str]
    revocations_sha256: str
    previous_size: int
    previous_root: str
    trust_version: Annotated[int, msgspec.Meta(ge=1, lt=1 << 53)] | None
    revocations_count: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)] | UnsetType = UNSET
    revocations_chain: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.revocations_count is UNSET) != (self.revocations_chain is UNSET):
            raise ValueError("revocations_count and revocations_chain have to be given together")


class UnknownRecord(msgspec.Struct, frozen=True):
    """A record of a type that this version does not know: a later version of ldcat wrote it (docs/adr/0025)."""

    type: Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9-]{0,31}\Z")]


Record = DigestRecord | EndorsedRecord | RevokeRecord | ReleaseRecord
AnyRecord: TypeAlias = Record | UnknownRecord
_TYPES: Mapping[str, type[Record]] = dict(
    zip(RECORD_TYPES, (DigestRecord, EndorsedRecord, RevokeRecord, ReleaseRecord), strict=True)
)


def encode_leaf(record: Record) -> bytes:
    """The leaf of a record: its canonical JSON."""
    return canonical_json(msgspec.to_builtins(record))


def parse_record(leaf: bytes) -> AnyRecord:
    """Parse a leaf. Raises MalformedRecord if it is not a record, or not in its canonical form."""
    kind = "digest" if is_row(leaf) else decode_json(leaf, UnknownRecord, "leaf").type
    if kind not in _TYPES:
        return _unknown(leaf, kind)
    found: Record = decode_json(leaf, _TYPES[kind], f"{kind} record")
    plain = leaf.isascii() and b"\x7f" not in leaf  # then msgspec writes canonical JSON, and quickly
    if not (plain and msgspec.json.encode(found, order="sorted") == leaf) and encode_leaf(found) != leaf:
        raise MalformedRecord(f"{kind} record: not in canonical form")
    if isinstance(found, DigestRecord):
        check_identity(found)
    elif isinstance(found, RevokeRecord):
        check_revocation(found.selector, found.reason, "revoke record")
    return found


def parse_row(leaf: bytes) -> DigestRecord:
    """Parse the leaf of a row. Raises MalformedRecord, also for a record of another type."""
    record = parse_record(leaf)
    if not isinstance(record, DigestRecord):
        raise MalformedRecord(f"leaf: a {record.type} record, not a digest record")
    return record


def parse_endorsed(leaf: bytes) -> EndorsedRecord:
    """Parse the leaf of an endorsed digest. Raises MalformedRecord, also for a record of another type."""
    record = parse_record(leaf)
    if not isinstance(record, EndorsedRecord):
        raise MalformedRecord(f"leaf: a {record.type} record, not an endorsed digest")
    return record


def _unknown(leaf: bytes, kind: str) -> UnknownRecord:
    """A record of an unknown type. Raises MalformedRecord unless it is canonical JSON, as all leaves are."""
    try:
        is_canonical = canonical_json(json.loads(leaf)) == leaf
    except (ValueError, RecursionError):  # a number that is too long for Python, or objects that are too deep
        is_canonical = False
    if not is_canonical:
        raise MalformedRecord(f"{kind} record: not in canonical form")
    return UnknownRecord(kind)
