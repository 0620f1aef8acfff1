"""Types of the JSON that the service reads and writes; the schemas of OpenAPI are made from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from catalog.rows.fields import BESIDE_COMPONENTS, Field
from catalog.web.answer_types import Hex, NoteAnswer
from catalog.web.related_answer import RelatedAnswer
from catalog.web.verification_answer import VerificationAnswer
from catalog.wire import Wire

_BESIDE = {"vmm_title": str | None, "listed": bool, "vcpu_types": list[str]}
"""The types of JSON members that follow a field of a row."""


def _members(field: Field) -> list[tuple[str, Any]]:
    """The JSON members of a field of a row."""
    kind = str if field.kind.is_text else int
    own = (field.name, Annotated[kind | None, msgspec.Meta(description=field.meaning)])
    return [own, (field.beside, _BESIDE[field.beside])] if field.beside else [own]


class Batch(Wire, frozen=True):
    """Launch digests to look up, in hex, 0x-hex or base64."""

    digests: Annotated[list[str], msgspec.Meta(min_length=1)]


class FirmwareAnswer(msgspec.Struct):
    """The build of a match. null: not known.

    size: bytes.
    snp_baseline: SEV-SNP launch digest after the image.
    firmware_version: what the firmware calls itself.
    distribution to path: where the build was published; null if that is not recorded.
    """

    name: str
    sha256: Hex | None
    sha384: Hex | None
    size: int | None
    snp_baseline: Hex | None
    firmware_version: str | None
    distribution: str | None
    suite: str | None
    package: str | None
    version: str | None
    package_sha256: Hex | None
    path: str | None


class EndorserAnswer(msgspec.Struct):
    """Who endorses a launch digest; null: not said.

    scheme: the form of the document.
    svn: security version number of what is endorsed.
    """

    scheme: str
    id: str | None
    feed: str | None
    svn: int | None


class BaseAnswer(msgspec.Struct):
    """The base that a row follows from: a published launch digest, and its number of vCPUs."""

    name: str
    launch_digest: Hex
    vcpus: int
    endorser: EndorserAnswer


class KernelHashesAnswer(msgspec.Struct):
    """The kernel hashes table of a match."""

    name: str
    table_sha256: Hex
    kernel_sha256: Hex
    initrd_sha256: Hex
    cmdline_sha256: Hex
    append: str | None


class RevocationAnswer(msgspec.Struct):
    """The revocation or deprecation of a row."""

    severity: Literal["revoked", "deprecated"]
    reason: str


MatchAnswer = msgspec.defstruct(
    "MatchAnswer",
    [
        ("launch_digest", Hex),
        ("technology", str),
        ("firmware", FirmwareAnswer),
        ("kernel_hashes", KernelHashesAnswer | None),
        ("kernel_hashes_enforced", Literal["yes", "no", "unknown"]),
        *(member for field in BESIDE_COMPONENTS for member in _members(field)),
        ("launchable", Literal["yes", "no", "unknown"]),
        ("launchable_reason", str),
        ("launchable_source", str),
        ("revocation", RevocationAnswer | None),
        ("notes", list[NoteAnswer]),
    ],
    namespace={
        "__doc__": "A configuration that has the launch digest. null: not measured. notes: read them before "
        "relying on the match."
    },
)


InferredAnswer = msgspec.defstruct(
    "InferredAnswer",
    [
        ("launch_digest", Hex),
        ("technology", str),
        ("base", BaseAnswer),
        *(member for field in BESIDE_COMPONENTS for member in _members(field)),
        ("refused", str | None),
        ("revocation", RevocationAnswer | None),
        ("notes", list[NoteAnswer]),
    ],
    namespace={"__doc__": "A launch that follows from a base and has the launch digest; its firmware is not known."},
)


class EndorsementAnswer(msgspec.Struct):
    """An endorsement of the launch digest, or a place where it was reported.

    claims: what the endorser says about the launch; it follows from no hash.
    document_sha256: of the document that says so; null if only its values are kept.
    document_time, certificate_until: seconds since 1970.
    checked: whether the publisher of the catalog verified a signature of the document.
    agrees, contradicts: names of the claims that the rows with this digest have, too, and of those that none has.
    claimed_firmware: names of the catalogued builds that are claimed, although no row has the digest.
    """

    launch_digest: Hex
    technology: str
    endorser: EndorserAnswer
    claims: dict[str, str | int]
    document_sha256: Hex | None
    document_time: int | None
    checked: Literal["signature", "none"]
    certificate_until: int | None
    origin: str | None
    agrees: list[str]
    contradicts: list[str]
    claimed_firmware: list[str]
    refused: None
    revocation: RevocationAnswer | None


class ReleaseAnswer(msgspec.Struct):
    """The release that answered. fresh_until: seconds since 1970."""

    origin: str
    size: int
    root: Hex
    release: int
    last_release: int
    verified: bool
    trust_version: int | None
    newer_trust_version: int | None
    fresh_until: int | None


class AskedAnswer(msgspec.Struct):
    """What the catalog knows.

    firmware_of: who published the firmware of its rows.
    endorsers: whose endorsed digests it has.
    """

    firmware_of: list[str]
    endorsers: list[str]


class LookupAnswer(msgspec.Struct):
    """The answer to a digest, or to evidence that has it.

    found: true if any configuration has the digest.
    evidence: the form that was read.
    claimed_by: what merely states the digest, such as a text; else null.
    sev_report: a report of SEV or SEV-ES.
    tdx: a TDX quote or a TDREPORT.
    refused: why the report is refused; null if the certificates that came with it endorse it, or none came.
    inferred: rows with the digest that follow from a base: the firmware is not known.
    endorsements: who endorses the digest.
    reported: where the digest was seen, and nobody endorses it.
    related: searched if nothing else says what the digest is.
    asked: what the catalog knows, if no row has the digest.
    claims: names of the fields of each match that are claims of the publisher: no hash of the row proves them.
    """

    found: bool
    evidence: str
    claimed_by: str | None
    launch_digest: Hex
    report: dict[str, Any] | None
    sev_report: dict[str, Any] | None
    id_block: dict[str, Any] | None
    tdx: dict[str, Any] | None
    verification: VerificationAnswer | None
    refused: str | None
    notes: list[NoteAnswer]
    release: ReleaseAnswer | None
    claims: list[str]
    matches: list[MatchAnswer]  # type: ignore[valid-type]
    inferred: list[InferredAnswer]  # type: ignore[valid-type]
    endorsements: list[EndorsementAnswer]
    reported: list[EndorsementAnswer]
    related: list[RelatedAnswer]
    asked: AskedAnswer


class OneOfBatch(msgspec.Struct):
    """The answer to one digest of a batch: as LookupAnswer, without related digests, which are not searched."""

    launch_digest: Hex
    found: bool
    matches: list[MatchAnswer]  # type: ignore[valid-type]
    inferred: list[InferredAnswer]  # type: ignore[valid-type]
    endorsements: list[EndorsementAnswer]
    reported: list[EndorsementAnswer]


class BatchAnswer(msgspec.Struct):
    """The answer to a batch.

    answers: in the order of the digests.
    claims: as in LookupAnswer.
    notes: on parts of the catalog that this version of ldcat does not know.
    """

    release: ReleaseAnswer | None
    claims: list[str]
    notes: list[NoteAnswer]
    answers: list[OneOfBatch]


class ReadyAnswer(msgspec.Struct):
    """The service answers from a fresh release.

    verified: true if the release was verified against a trust note.
    release: number of the release; null for a catalog that is not published in a log.
    """

    status: Literal["ready"]
    verified: bool
    release: int | None


class HealthAnswer(msgspec.Struct):
    """The process answers requests."""

    status: Literal["ok"]


class ProblemAnswer(msgspec.Struct):
    """A problem (RFC 9457). hint: what to do next."""

    type: str
    title: str
    status: int
    detail: str
    hint: str | msgspec.UnsetType = msgspec.UNSET
