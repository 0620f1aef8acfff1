"""`corim`: a CoRIM with AMD's SEV-SNP profile, as Veraison reads it, for its endorsement provisioning API.

One reference triple a digest, which Veraison finds by its instance. Signed in a COSE_Sign1 if a key is given.
Source: draft-ietf-rats-corim (CDDL of 2026-08-19); veraison/services 6b88102, scheme/sevsnp and vts/trustedservices;
veraison/corim 53b3014; veraison/corim-store d1c9b85.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import Export, ExportFile, Source
from catalog.export.settings import DEFAULT_DAYS
from catalog.export.validity import valid_from, valid_until
from catalog.export.writers.cbor_writer import encode
from catalog.imports.cbor import Tagged
from catalog.notes import Note

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.export.corim_signature import Party

PROFILE = "tag:amd.com,2024:snp-corim-profile"

MOST_TRIPLES = 131_072
"""Entries of an array that Veraison's CBOR library reads by default (fxamacher/cbor, MaxArrayElements)."""

_TIME, _URI, _OID, _CORIM, _COMID, _BYTES = 1, 32, 111, 501, 506, 560
"""CBOR tags."""

_ID, _TAGS, _PROFILE, _VALIDITY, _ENTITIES = 0, 1, 3, 4, 5
"""Keys of corim-map."""
_NAME, _URL, _ROLES = 0, 1, 2
"""Keys of entity-map."""
_MANIFEST_CREATOR = 1
"""Role in a CoRIM."""

_LANGUAGE, _IDENTITY, _COMID_ENTITIES, _TRIPLES = 0, 1, 2, 4
"""Keys of concise-mid-tag."""
_TAG_CREATOR, _CREATOR = 0, 1
"""Roles in a CoMID."""

_REFERENCE = 0
"""Key of triples-map."""
_CLASS, _INSTANCE = 0, 1
"""Keys of environment-map."""
_CLASS_ID = 0
_REPORT = bytes.fromhex("2b060104019c780301")
"""The object identifier 1.3.6.1.4.1.3704.3.1: the class that Veraison gives an attestation report."""

_ELEMENT, _VALUES = 0, 1
"""Keys of measurement-map."""
_MEASUREMENT = 641
"""Element: the launch digest of a report, by the profile."""
_DIGESTS = 2
_SHA_384 = 7
"""Source: IANA, Named Information Hash Algorithm."""

_LONGEST = 512
"""Characters of a name or URL, as `ldcat import` reads them."""
_HTTP = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#]([A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?")


_NOTES = (
    Note(
        "corim-policy-not-compared",
        "Veraison accepts these digests with any guest policy, even one that lets the host debug the guest",
    ),
    Note(
        "corim-adds-values",
        "Veraison keeps what was submitted before: delete an earlier CoRIM if a digest of it was revoked",
    ),
    Note("corim-not-for-rvps", "not for trustee's RVPS, which would keep the last digest alone: use --to rvps there"),
)
_NO_CERTIFICATE = Note(
    "consumer-refuses",
    "Veraison's services refuse a signed CoRIM without the signer's certificate: give it with --cert",
)


class Corim(ExportFormat):
    """CBOR, tagged 501; or a COSE_Sign1 of it, tagged 18."""

    name = "corim"
    title = "CoRIM for Veraison: cocli corim submit; signed if a key is given"
    readers = Readers.VERIFIERS
    file_name = "corim-veraison.cbor"
    why_no_other = "AMD's profile has no MRTD, and no verifier is known to read one by the draft of Intel's profile"
    settings = frozenset({"issuer", "issuer_url", "valid_from", "days", "key", "passphrase", "cert"})
    required = frozenset({"issuer"})
    defaults = {"days": DEFAULT_DAYS}
    is_binary = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        issuer, validity = _issuer(export), (valid_from(export), valid_until(export))
        corim = _corim(export, issuer, validity)
        if export.settings.key is not None:
            from catalog.export.corim_signature import sign_corim

            signed = sign_corim(corim, issuer, validity, export.settings.key, export.settings)
            return [ExportFile.of("corim-signed.cose", "application/rim+cose", signed)]
        if export.settings.cert is not None or export.settings.passphrase is not None:
            raise UsageError("a certificate or a passphrase is given, and no key that signs the CoRIM", "--key FILE")
        return [ExportFile.of(self.file_name, "application/rim+cbor", corim)]

    def notes(self, export: Export) -> Sequence[Note]:
        signed, certified = export.settings.key is not None, export.settings.cert is not None
        return _NOTES if certified or not signed else (*_NOTES, _NO_CERTIFICATE)


def _corim(export: Export, issuer: Party, validity: tuple[int, int]) -> bytes:
    begin, end = validity
    corim = {
        _TAGS: [Tagged(_COMID, encode(_comid(export.digests, issuer)))],
        _PROFILE: Tagged(_URI, PROFILE),
        _VALIDITY: {0: Tagged(_TIME, begin), 1: Tagged(_TIME, end)},
        _ENTITIES: [issuer | {_ROLES: [_MANIFEST_CREATOR]}],
    }
    return encode(Tagged(_CORIM, {_ID: _identity(export.source, encode(corim)), **corim}))


def _identity(source: Source, content: bytes) -> str:
    """The id of a CoRIM: the release or the manifest that it is from, and which content.

    Veraison's store refuses a CoRIM with the id of another one: a second selection of a release needs its own.
    """
    if source.origin is None or source.release is None:
        where = f"unpublished/{source.manifest_sha256}"
    else:
        where = f"{source.origin}/release/{source.release}"
    return f"{where}/{hashlib.sha256(content).hexdigest()[:16]}"


def _comid(digests: Sequence[bytes], issuer: Party) -> dict[int, Any]:
    if len(digests) > MOST_TRIPLES:
        raise UsageError(
            f"Veraison reads at most {MOST_TRIPLES} digests of one CoRIM, not {len(digests)}",
            "select fewer, such as those of one --firmware",
        )
    names = ",".join(digest.hex() for digest in digests)
    tag_id = uuid.uuid5(uuid.NAMESPACE_URL, f"ldcat:{names}")
    return {
        _LANGUAGE: "en",
        _IDENTITY: {0: tag_id.bytes},
        _COMID_ENTITIES: [issuer | {_ROLES: [_TAG_CREATOR, _CREATOR]}],
        _TRIPLES: {_REFERENCE: [_triple(digest) for digest in digests]},
    }


def _triple(digest: bytes) -> list[Any]:
    """The report that has this digest: Veraison finds it by the instance, and compares each element that is named."""
    environment = {_CLASS: {_CLASS_ID: Tagged(_OID, _REPORT)}, _INSTANCE: Tagged(_BYTES, digest)}
    return [environment, [{_ELEMENT: _MEASUREMENT, _VALUES: {_DIGESTS: [[_SHA_384, digest]]}}]]


def _issuer(export: Export) -> Party:
    """Name and URL of who issues the values; raises UsageError."""
    name, url = export.settings.issuer or "", export.settings.issuer_url
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST:
        raise UsageError(f"the issuer of a CoRIM has a name of 1 to {_LONGEST} printable characters", "--issuer NAME")
    if url is None:
        return {_NAME: name}
    if len(url) > _LONGEST or _HTTP.fullmatch(url) is None:
        raise UsageError(
            f"the issuer's URL is not http:// or https:// with at most {_LONGEST} characters",
            "other characters than those of a URL are percent-encoded",
        )
    return {_NAME: name, _URL: Tagged(_URI, url)}


FORMAT = Corim()
