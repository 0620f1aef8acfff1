"""Certificates, revocation lists and keys in a file: PEM, DER, or the certificate table that a host passes to a guest.

Source: RFC 7468 (PEM); AMD 56421, GHCB specification, 4.1.8.1 (certificate table).
"""

from __future__ import annotations

import binascii

from catalog.endorse.certificate import Certificate, P384Key
from catalog.endorse.crl import RevocationList
from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY_SIZE = 24
_ENTRIES_AT_MOST = 64
_KEYS = (
    "63da758d-e664-4564-adc5-f4b93be8accd",
    "a8074bc2-a25a-483e-aae6-39c045a0b8a1",
    "4ab7b379-bbac-4fe4-a02f-05aef327c782",
    "c0b406a4-a803-4952-9743-3fb6014cd0ae",
)
"""GUIDs of VCEK, VLEK, ASK or ASVK, and ARK."""

_CERTIFICATE, _LIST, _KEY = b"CERTIFICATE", b"X509 CRL", b"PUBLIC KEY"
_BEGIN, _END = b"-----BEGIN %s-----", b"-----END %s-----"


def parse_certificates(data: bytes) -> list[Certificate]:
    """Every certificate of a file: PEM, one in DER, or a certificate table; raises MalformedInput for anything else."""
    try:
        if _BEGIN % _CERTIFICATE in data:
            return [Certificate.parse(der) for der in _from_pem(data, _CERTIFICATE)]
        if data[:16] in _GUIDS:
            return [Certificate.parse(der) for der in certificate_table(data)]
        return [Certificate.parse(data)]
    except MalformedInput as error:
        raise MalformedInput(f"neither certificates in PEM or DER, nor a certificate table: {error}") from error


def parse_revocation_lists(data: bytes) -> list[RevocationList]:
    """Every revocation list of a file: PEM, or one in DER; raises MalformedInput for anything else."""
    try:
        ders = _from_pem(data, _LIST) if _BEGIN % _LIST in data else [data]
        return [RevocationList.parse(der) for der in ders]
    except MalformedInput as error:
        raise MalformedInput(f"no certificate revocation list (CRL) in PEM or DER: {error}") from error


def parse_public_key(data: bytes) -> P384Key:
    """The public key on P-384 of a file in PEM or DER; raises MalformedInput, which shows nothing of the file."""
    if b"PRIVATE KEY-----" in data:
        raise MalformedInput("this is a private key", "give the public key, as openssl pkey -pubout writes it")
    try:
        ders = list(_from_pem(data, _KEY)) if _BEGIN % _KEY in data else [data]
        key = P384Key.parse(ders[0]) if len(ders) == 1 else None
    except MalformedInput:
        key = None
    if key is None:
        raise MalformedInput("no public key on P-384 in PEM or DER", "openssl pkey -pubout writes one")
    return key


def certificate_table(table: bytes) -> Iterator[bytes]:
    """The certificates of a table in DER, without other entries; raises MalformedInput for an invalid table."""
    for number in range(_ENTRIES_AT_MOST):
        header = table[number * _ENTRY_SIZE : (number + 1) * _ENTRY_SIZE]
        if len(header) < _ENTRY_SIZE:
            break
        guid, offset, length = header[:16], _number(header[16:20]), _number(header[20:])
        if not any(header):
            return
        if offset + length > len(table):
            raise MalformedInput(f"entry {number} of the certificate table is not inside it")
        if guid in _GUIDS:
            yield table[offset : offset + length]
    raise MalformedInput("the certificate table has no entry of zeros at its end")


def _from_pem(data: bytes, label: bytes) -> Iterator[bytes]:
    """The bytes of each block with this label; text around the blocks is for people."""
    for block in data.split(_BEGIN % label)[1:]:
        text, end, _ = block.partition(_END % label)
        try:
            if not end:
                raise MalformedInput("a block of PEM has no end")
            yield binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
        except binascii.Error as error:
            raise MalformedInput("a block of PEM is not base64") from error


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _both_orders(guid: str) -> Iterator[bytes]:
    """The bytes of a GUID in the order of its text, which hosts write, and in that of EFI."""
    raw = bytes.fromhex(guid.replace("-", ""))
    yield raw
    yield raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]


_GUIDS = frozenset(raw for guid in _KEYS for raw in _both_orders(guid))
