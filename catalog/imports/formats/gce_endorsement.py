"""Launch endorsements of GCE: a signed protobuf with the launch digests of an image.

Under SEV-SNP there is one for each number of vCPUs; under TDX an MRTD, and on older hosts one for each machine type.

Source: google/gce-tcb-verifier, proto/endorsement.proto and verify/verify.go (RSA-PSS with SHA-256 and a
salt of 32 bytes, a certificate that the root signed itself, provenance after 2024-08-02).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.imports.chains import der, parse_chain, rooted, signing_note, validity, verify_chain
from catalog.imports.dates import day
from catalog.imports.documents import Document, Form, Given
from catalog.imports.endorsed_facts import Claims, EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.imports.protobuf import Kinds, Message
from catalog.imports.strict_json import check_count

NAME = "gce-endorsement"

ROOT_HINT = "give Google's root with --root: https://pki.goog/cloud_integrity/GCE-cc-tcb-root_1.crt"

PROVENANCE_SINCE = 1_722_556_800
"""2024-08-02: since then an endorsement names the change or the commit that the image was built from."""

_ENVELOPE: Kinds = {1: "bytes", 2: "bytes"}
_GOLDEN: Kinds = {1: "bytes", 2: "number", 3: "bytes", 4: "bytes", 5: "bytes", 6: "bytes", 7: "bytes", 8: "bytes"}
_SEV_SNP: Kinds = {1: "number", 2: "bytes", 3: "bytes", 4: "bytes", 5: "number", 6: "bytes", 7: "bytes"}
_MOST_SHOWN = 24
"""MRTDs with the memory of their launch; real documents have at most 12."""

_TDX: Kinds = {1: "number", 2: "bytes"}
_MRTD: Kinds = {1: "number", 2: "number", 3: "bytes"}
_TIMESTAMP: Kinds = {1: "number", 2: "number"}
_ENTRY: Kinds = {1: "number", 2: "bytes"}


def recognizes(document: Document) -> bool:
    """Whether it begins with a field 1 that is longer than 127 bytes, and a certificate is in it."""
    data = document.data
    return data[:1] == b"\x0a" and len(data) > 2 and data[1] >= 0x80 and b"-----BEGIN CERTIFICATE" in data


def parse(document: Document, given: Given) -> Imported:
    """The endorsed digests; raises MalformedRecord, UntrustedSigner without the root, VerificationFailed."""
    envelope = Message(document.data, _ENVELOPE, NAME, known_only=True)
    golden_bytes = envelope.data(1)
    golden = Message(golden_bytes, _GOLDEN, f"{NAME}: golden measurement")
    time = Message(golden.data(1), _TIMESTAMP, f"{NAME}: timestamp").number(1)
    (leaf,) = parse_chain([golden.data(4)], f"{NAME}: certificate")
    chain = rooted(leaf, given, NAME, ROOT_HINT)
    verify_chain(chain, time, NAME)
    _check_signature(leaf.public_key(), envelope.data(2), golden_bytes)
    if time > PROVENANCE_SINCE and not golden.number(2) and not golden.data(3):
        raise MalformedRecord(f"{NAME}: of {day(time)}, and names neither a change nor a commit")
    root = f"sha256:{hashlib.sha256(der(chain[-1])).hexdigest()}" if len(chain) > 1 else None
    tdx = Message(golden.data(8), _TDX, f"{NAME}: tdx")
    measured = [Message(entry, _MRTD, f"{NAME}: tdx.measurements") for entry in tdx.all_data(2)]
    endorsed = [
        *_snp(Message(golden.data(7), _SEV_SNP, f"{NAME}: sev_snp"), golden.data(5), root),
        *_tdx(measured, Endorser(NAME, root, svn=tdx.number(1)), golden.data(5)),
    ]
    check_count(len(endorsed), f"{NAME}: measurements")
    return Imported(
        NAME,
        document.sha256,
        checked="signature",
        document_time=time,
        certificate_until=validity(leaf)[1],
        endorsed=tuple(endorsed),
        notes=(signing_note(time, leaf, given.now), *_memory_notes(measured)),
    )


def _check_signature(key: object, signature: bytes, golden: bytes) -> None:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise VerificationFailed(f"{NAME}: the signer's key is no RSA key of 2048 bits or more")
    try:
        key.verify(signature, golden, padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32), hashes.SHA256())
    except InvalidSignature as error:
        raise VerificationFailed(f"{NAME}: the signature is not of this document and key") from error


def _snp(snp: Message, firmware: bytes, root: str | None) -> list[EndorsedDigest]:
    """Sorted by number of vCPUs. firmware: SHA-384 of the image. root: the endorser's id, if it is known."""
    found: dict[int, bytes] = {}
    for entry in snp.all_data(2):
        measured = Message(entry, _ENTRY, f"{NAME}: sev_snp.measurements")
        vcpus = measured.number(1)
        if vcpus in found:
            raise MalformedRecord(f"{NAME}: sev_snp.measurements: {vcpus} vCPUs are there twice")
        found[vcpus] = measured.data(2)
    endorser = Endorser(NAME, root, svn=snp.number(1))
    policy = snp.number(5) or None  # proto3 has no other sign that it is not there
    return [
        EndorsedDigest(digest, "sev-snp", endorser, Claims(vcpus=vcpus, policy=policy, firmware_sha384=firmware))
        for vcpus, digest in sorted(found.items())
    ]


def _tdx(measured: Iterable[Message], endorser: Endorser, firmware: bytes) -> list[EndorsedDigest]:
    """MRTDs in the order of the document, each once. firmware: SHA-384 of the image."""
    claims = Claims(firmware_sha384=firmware)
    return [EndorsedDigest(mrtd, "tdx", endorser, claims) for mrtd in dict.fromkeys(one.data(3) for one in measured)]


def _memory_notes(measured: Iterable[Message]) -> list[str]:
    """What MRTDs say of the memory of a TD, which they cover on older hosts alone."""
    texts = [
        f"{one.data(3).hex()[:16]}... with {one.number(1)} GiB{', accepted early' if one.number(2) else ''}"
        for one in measured
        if one.number(1)
    ]
    return [f"MRTDs of launches with a measured TD HOB: {'; '.join(texts[:_MOST_SHOWN])}"] if texts else []


FORM = Form(NAME, "GCE launch endorsement", recognizes, parse)
