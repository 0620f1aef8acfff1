"""Chains of X.509 certificates, valid at the time of a signature; did:x509 identifiers that pin one.

Source: RFC 5280, 6.1 (path validation); draft-birkholz-did-x509 (did:x509).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from catalog.errors import MalformedInput, MalformedRecord, UntrustedSigner, VerificationFailed
from catalog.imports.certificate_files import load_certificates
from catalog.imports.dates import day
from catalog.imports.documents import Given

MOST_CERTIFICATES = 5
"""Certificates of a chain, from the signer's to the root."""

_DID = re.compile(r"did:x509:0:sha256:([A-Za-z0-9_-]{43})::eku:((?:[0-9]{1,10}\.){2,20}[0-9]{1,10})")
_PEM_KEY = b"-----BEGIN PUBLIC KEY-----"


def parse_trusted(data: bytes, given: Given) -> Given:
    """What the reader trusts, and in addition the certificates or the public key of a file in PEM or DER.

    Raises MalformedInput for anything else.
    """
    if _PEM_KEY in data:
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise MalformedInput("the public key cannot be read") from error
        return replace(given, keys=(*given.keys, key))
    return replace(given, roots=(*given.roots, *load_certificates(data)))


def parse_chain(ders: Sequence[bytes], what: str) -> list[x509.Certificate]:
    """Certificates in DER, the signer's first; raises MalformedRecord if one is malformed or they are too many."""
    if not 1 <= len(ders) <= MOST_CERTIFICATES:
        raise MalformedRecord(f"{what}: {len(ders)} certificates, not 1 to {MOST_CERTIFICATES}")
    try:
        chain = [one for data in ders for one in load_certificates(data)]
    except MalformedInput as error:
        raise MalformedRecord(f"{what}: a certificate is malformed") from error
    if [der(one) for one in chain] != list(ders):
        raise MalformedRecord(f"{what}: a certificate is not in DER")
    return chain


def verify_chain(chain: Sequence[x509.Certificate], at: int, what: str) -> None:
    """Verify that each certificate is signed by the next one, and that all were valid at a time.

    chain: the signer's first, the root last.
    at: seconds since 1970.
    Raises VerificationFailed; whether the root is to be trusted is for the caller to decide.
    """
    for below, certificate in enumerate(chain):
        start, end = validity(certificate)
        if not start <= at <= end:
            raise VerificationFailed(
                f"{what}: the certificate of {subject(certificate)} was not valid when it was signed, {day(at)}: "
                f"it is valid from {day(start)} to {day(end)}"
            )
        if below:
            signed = chain[below - 1]
            _check_may_sign(certificate, below - 1, what)
            if not _is_issued(signed, certificate):
                by = f"the certificate of {subject(signed)!r} is not signed by {subject(certificate)!r}"
                raise VerificationFailed(f"{what}: {by}")


def check_root(root: x509.Certificate, given: Given, what: str, hint: str) -> None:
    """Raises UntrustedSigner unless the reader gave this root, or reads what is not trusted."""
    if root not in given.roots and not given.untrusted:
        raise UntrustedSigner(f"{what}: its root certificate {subject(root)!r} is not one that is trusted", hint)


def rooted(leaf: x509.Certificate, given: Given, what: str, hint: str) -> list[x509.Certificate]:
    """A certificate and the given root that its issuer names, of several the one that signed it.

    Raises UntrustedSigner if there is none of that name; if the reader reads what is not trusted, the certificate is
    alone then.
    """
    named = [root for root in given.roots if root.subject == leaf.issuer]
    if not named and given.untrusted:
        return [leaf]
    if not named:
        raise UntrustedSigner(f"{what}: no root certificate is given that issued {subject(leaf)!r}", hint)
    return [leaf, next((root for root in named if _is_issued(leaf, root)), named[0])]


def check_did(did: str, chain: Sequence[x509.Certificate], what: str) -> None:
    """Raises VerificationFailed unless a did:x509 names a CA of the chain, and a key usage of its first certificate.

    Raises MalformedRecord for text that is no did:x509 with one policy `eku`.
    """
    match = _DID.fullmatch(did)
    if not match:
        raise MalformedRecord(f"{what}: {did[:80]!r} is no did:x509 with sha256 and one eku")
    fingerprints = [base64.urlsafe_b64encode(hashlib.sha256(der(one)).digest()).removesuffix(b"=") for one in chain[1:]]
    if match.group(1).encode() not in fingerprints:
        raise VerificationFailed(f"{what}: the issuer {did} is none of the certificates that it was signed with")
    try:
        usages = list(chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        usages = []
    if match.group(2) not in [usage.dotted_string for usage in usages]:
        raise VerificationFailed(f"{what}: the signer's certificate has no extended key usage {match.group(2)}")


def der(certificate: x509.Certificate) -> bytes:
    """The bytes of a certificate."""
    return certificate.public_bytes(Encoding.DER)


def subject(certificate: x509.Certificate) -> str:
    """The common name, or the whole name if there is none."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def validity(certificate: x509.Certificate) -> tuple[int, int]:
    """From when to when a certificate is valid, seconds since 1970."""
    return int(certificate.not_valid_before_utc.timestamp()), int(certificate.not_valid_after_utc.timestamp())


def signing_note(at: int, certificate: x509.Certificate, now: int) -> str:
    """When it was signed, and until when the certificate is or was valid."""
    end = validity(certificate)[1]
    until = f"that expired {day(end)}" if end < now else f"that is valid until {day(end)}"
    return f"signed {day(at)} by a certificate {until}"


def _check_may_sign(certificate: x509.Certificate, below: int, what: str) -> None:
    """Raises VerificationFailed unless a certificate may sign others. below: CAs between it and the signer's."""
    extensions = certificate.extensions
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise VerificationFailed(f"{what}: {subject(certificate)!r} may not sign certificates") from error
    too_long = basic.path_length is not None and below > basic.path_length
    if not basic.ca or not usage.key_cert_sign or too_long:
        raise VerificationFailed(f"{what}: {subject(certificate)!r} may not sign certificates")


def _is_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate names its issuer and is signed by it."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
