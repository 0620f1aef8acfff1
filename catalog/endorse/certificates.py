"""Certificates, revocation lists and keys in a file."""

from __future__ import annotations

from catalog.endorse.certificate import Certificate, P384Key
from catalog.endorse.certificate_forms import certificates_of_file, from_pem
from catalog.endorse.crl import RevocationList
from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LIST, _KEY = b"X509 CRL", b"PUBLIC KEY"
_BEGIN_LIST = b"-----BEGIN X509 CRL-----"


def parse_certificates(data: bytes) -> list[Certificate]:
    """Every certificate of a file in one of the forms of `certificates_of_file`; raises MalformedInput for others."""
    try:
        return [Certificate.parse(der) for der in certificates_of_file(data)]
    except MalformedInput as error:
        raise MalformedInput(f"neither certificates in PEM or DER, nor a certificate table: {error}") from error


def parse_carried(ders: Iterable[bytes]) -> list[Certificate]:
    """Certificates in DER that came with evidence, without those that cannot be read: nobody asked for them."""
    found = []
    for der in ders:
        try:
            found.append(Certificate.parse(der))
        except MalformedInput:
            continue
    return found


def parse_revocation_lists(data: bytes) -> list[RevocationList]:
    """Every revocation list of a file: PEM, or one in DER; raises MalformedInput for anything else."""
    try:
        ders = from_pem(data, _LIST) if _BEGIN_LIST in data else [data]
        return [RevocationList.parse(der) for der in ders]
    except MalformedInput as error:
        raise MalformedInput(f"no certificate revocation list (CRL) in PEM or DER: {error}") from error


def parse_public_key(data: bytes) -> P384Key:
    """The public key on P-384 of a file in PEM or DER; raises MalformedInput, which shows nothing of the file."""
    if b"PRIVATE KEY-----" in data:
        raise MalformedInput("this is a private key", "give the public key, as openssl pkey -pubout writes it")
    try:
        ders = list(from_pem(data, _KEY)) if b"BEGIN PUBLIC KEY" in data else [data]
        key = P384Key.parse(ders[0]) if len(ders) == 1 else None
    except MalformedInput:
        key = None
    if key is None:
        raise MalformedInput("no public key on P-384 in PEM or DER", "openssl pkey -pubout writes one")
    return key
