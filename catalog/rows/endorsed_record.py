"""EndorsedRecord: a launch digest that somebody endorses, as it is in a leaf of a log, in a catalog and in JSON.

Hashes are lower-case hex and bit fields 0x-hex, as in the records of rows; what is not known is left out or null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from catalog.errors import MalformedRecord
from catalog.imports.endorsed_facts import Claims, EndorsedDigest, Endorser
from catalog.imports.fact_checks import LONGEST_TEXT
from catalog.launch.point import MAX_VCPUS
from catalog.launch.technology import technologies
from catalog.rows.fields import BY_NAME, DIGEST
from catalog.rows.kinds import Bits, Hash, Kind
from catalog.rows.printed_line import is_printed_line
from catalog.wire import Wire

if TYPE_CHECKING:
    from catalog.imports.imported import Imported

Time = Annotated[int, msgspec.Meta(gt=0, lt=1 << 40)]
"""Seconds since 1970."""

REPORTED = "reported"
"""Scheme of a digest that nobody endorses: it was seen in public documents or tests."""

WITHOUT_DOCUMENT = ("published-list", REPORTED)
"""Schemes of a digest whose document is not kept; any other scheme is the form of a document."""

_SVN_LIMIT = 1 << 53
Svn = Annotated[int, msgspec.Meta(ge=0, lt=_SVN_LIMIT)]
"""A security version number, which every reader of JSON can represent."""

_SCHEME = "[a-z0-9][a-z0-9-]{0,39}"
_SHA256 = re.compile("[0-9a-f]{64}")

_CLAIMED: dict[str, Kind] = {
    "policy": Bits(64),
    "firmware_sha256": Hash(32),
    "firmware_sha384": Hash(48),
    "kernel_sha256": Hash(32),
    "initrd_sha256": Hash(32),
    "igvm_sha256": Hash(32),
    "reset_vector": Bits(32),
}
"""Claims that have a text of their own kind."""

DETERMINED = (
    "vcpus",
    "firmware_sha256",
    "firmware_sha384",
    "kernel_sha256",
    "initrd_sha256",
    "igvm_sha256",
    "reset_vector",
)
"""Claims of which a launch digest allows one value. It covers neither the guest policy nor the product."""


def _is_line(value: object) -> bool:
    return isinstance(value, str) and is_printed_line(value, LONGEST_TEXT)


SELECTABLE: dict[str, Callable[[object], bool]] = {
    "endorser_scheme": lambda value: isinstance(value, str) and re.fullmatch(_SCHEME, value) is not None,
    "endorser_id": _is_line,
    "endorser_feed": lambda value: value is None or _is_line(value),
    "endorser_svn": lambda value: value is None or (type(value) is int and 0 <= value < _SVN_LIMIT),
    "document_sha256": lambda value: value is None or (isinstance(value, str) and bool(_SHA256.fullmatch(value))),
}
"""Fields of an endorsed digest that a revocation can name, beside launch_digest and technology, and their values."""


class EndorserFields(Wire, frozen=True):
    """Who endorses a digest.

    scheme: the form of the document; REPORTED if nobody endorses the digest.
    id: a did:x509, the SHA-256 of a root certificate or key, or a URL.
    feed: which of the endorser's series the document belongs to.
    svn: security version number of what is endorsed.
    """

    scheme: Annotated[str, msgspec.Meta(pattern=rf"\A{_SCHEME}\Z")]
    id: str
    feed: str | None
    svn: Svn | None

    def __post_init__(self) -> None:
        _check_lines(("endorser.id", self.id), ("endorser.feed", self.feed))


class ClaimFields(Wire, frozen=True):
    """What the endorser says about the launch; a claim that is not made is left out."""

    vcpus: Annotated[int, msgspec.Meta(ge=1, le=MAX_VCPUS)] | UnsetType = UNSET
    vcpu_type: str | UnsetType = UNSET
    product: str | UnsetType = UNSET
    policy: str | UnsetType = UNSET
    firmware_sha256: str | UnsetType = UNSET
    firmware_sha384: str | UnsetType = UNSET
    kernel_sha256: str | UnsetType = UNSET
    initrd_sha256: str | UnsetType = UNSET
    igvm_sha256: str | UnsetType = UNSET
    reset_vector: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_lines(("claims.vcpu_type", self.vcpu_type), ("claims.product", self.product))
        for name, kind in _CLAIMED.items():
            if (text := getattr(self, name)) is not UNSET:
                _check(kind, text, f"claims.{name}")

    def given(self) -> dict[str, Any]:
        """The claims that are made, by name, as they are in JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class EndorsedRecord(Wire, frozen=True):
    """A launch digest that somebody endorses.

    document_sha256: of the document that says so; null if only its values are kept, and then `origin` says from where.
    document_time: when it was made or signed, by its own word.
    checked: whether the publisher of the catalog verified a signature of the document.
    certificate_until: end of validity of the signer's certificate.
    origin: who published the document, and where.
    """

    type: Literal["endorsed"]
    launch_digest: str
    technology: str
    endorser: EndorserFields
    claims: ClaimFields
    document_sha256: str | None
    document_time: Time | None
    checked: Literal["signature", "none"]
    certificate_until: Time | None
    origin: str | None

    def __post_init__(self) -> None:
        _check(DIGEST.kind, self.launch_digest, "launch_digest")
        if not re.fullmatch(BY_NAME["technology"].kind.pattern or "", self.technology):
            raise ValueError(f"technology: {self.technology!r:.80}")
        known = technologies().get(self.technology)
        if known and len(self.launch_digest) != 2 * known.digest_size:
            raise ValueError(f"launch_digest: not {known.digest_size} bytes, as a digest of {self.technology} has")
        _check_lines(("origin", self.origin))
        if self.document_sha256 is not None:
            _check(Hash(32), self.document_sha256, "document_sha256")
        elif self.origin is None or self.checked != "none":
            raise ValueError("without a document it has an origin, and nothing was checked")
        elif self.endorser.scheme not in WITHOUT_DOCUMENT:
            raise ValueError(f"without a document its scheme is one of {', '.join(WITHOUT_DOCUMENT)}")

    @classmethod
    def of(cls, imported: Imported, endorsed: EndorsedDigest) -> EndorsedRecord:
        """The record of one digest that a document endorses.

        Raises MalformedRecord for an endorser without an id where no origin is known, and for a text, a number or a
        time that no record can have.
        """
        by = endorsed.endorser
        document = imported.document_sha256
        endorser = {"scheme": by.scheme, "id": by.id or imported.origin, "feed": by.feed, "svn": by.svn}
        if endorser["id"] is None:
            raise MalformedRecord("endorsed digest: it does not say whose it is", "import it with --origin")
        values = {
            "type": "endorsed",
            "launch_digest": endorsed.digest.hex(),
            "technology": endorsed.technology,
            "endorser": endorser,
            "claims": {name: _text(name, value) for name, value in endorsed.claims.given().items()},
            "document_sha256": document and document.hex(),
            "document_time": imported.document_time,
            "checked": imported.checked,
            "certificate_until": imported.certificate_until,
            "origin": imported.origin,
        }
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise MalformedRecord(f"endorsed digest {endorsed.digest.hex()[:16]}...: {error}") from error

    @property
    def facts(self) -> EndorsedDigest:
        """The facts, with hashes and digests as bytes. Only for a technology that this version knows."""
        by = self.endorser
        claims = {name: _value(name, text) for name, text in self.claims.given().items()}
        digest = bytes.fromhex(self.launch_digest)
        return EndorsedDigest(digest, self.technology, Endorser(by.scheme, by.id, by.feed, by.svn), Claims(**claims))

    @property
    def endorser_scheme(self) -> str:
        return self.endorser.scheme

    @property
    def endorser_id(self) -> str:
        return self.endorser.id

    @property
    def endorser_feed(self) -> str | None:
        return self.endorser.feed

    @property
    def endorser_svn(self) -> int | None:
        return self.endorser.svn

    @property
    def key(self) -> tuple[object, ...]:
        """What is endorsed, and by whom: records with the same key may not contradict each other."""
        by = self.endorser
        return (self.launch_digest, self.technology, by.scheme, by.id, by.feed, by.svn)


def contradictions(records: Iterable[EndorsedRecord]) -> Iterator[tuple[EndorsedRecord, EndorsedRecord, str]]:
    """Pairs of records of one endorser about one digest, with a claim that the digest determines and they differ in.

    Each record is compared with the first one that makes the claim.
    """
    first: dict[tuple[object, ...], EndorsedRecord] = {}
    for record in records:
        for name in DETERMINED:
            if (value := getattr(record.claims, name)) is not UNSET:
                other = first.setdefault((*record.key, name), record)
                if getattr(other.claims, name) != value:
                    yield other, record, name


def _check(kind: Kind, text: str, what: str) -> None:
    try:
        kind.parse(text)
    except ValueError as error:
        raise ValueError(f"{what}: {text!r:.80} is not valid") from error


def _check_lines(*named: tuple[str, str | UnsetType | None]) -> None:
    for what, text in named:
        if isinstance(text, str) and not is_printed_line(text, LONGEST_TEXT):
            raise ValueError(f"{what}: not one line of 1 to {LONGEST_TEXT} printable characters")


def _text(name: str, value: Any) -> Any:
    return _CLAIMED[name].text(value) if name in _CLAIMED else value


def _value(name: str, text: Any) -> Any:
    return _CLAIMED[name].parse(text) if name in _CLAIMED else text
