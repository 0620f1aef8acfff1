"""Certificates that endorse attestation reports: parsed from PEM, DER, or the table that a host passes to its guest.

Source: AMD 57230, VCEK certificate and KDS interface; AMD 56421, GHCB specification, 4.1.8.1 (certificate table).
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from catalog.errors import MalformedInput

_ENTRY = struct.Struct("<16sII")
_ENTRIES_AT_MOST = 64
_KEYS = (
    UUID("63da758d-e664-4564-adc5-f4b93be8accd"),
    UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"),
    UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"),
    UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"),
)
"""VCEK, VLEK, ASK or ASVK, and ARK."""
_GUIDS = frozenset(guid.bytes for guid in _KEYS) | frozenset(guid.bytes_le for guid in _KEYS)
"""The GUIDs in the byte order of their text, which hosts write, and in that of EFI."""

_BROKEN = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises for an invalid certificate."""

_PEM = b"-----BEGIN CERTIFICATE-----"


def parse_certificates(data: bytes) -> list[x509.Certificate]:
    """Every certificate of a file: PEM, one in DER, or a certificate table; raises MalformedInput for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a VCEK has the serial number 0; a malformed name is only warned of
            found = _certificates(data)
            for certificate in found:
                _read_whole(certificate)
    except _BROKEN as error:
        raise MalformedInput("neither certificates in PEM or DER, nor a certificate table") from error
    return found


def _certificates(data: bytes) -> list[x509.Certificate]:
    if _PEM in data:
        return x509.load_pem_x509_certificates(data)
    if data[:16] in _GUIDS:
        return [x509.load_der_x509_certificate(der) for der in _entries(data)]
    return [x509.load_der_x509_certificate(data)]


def _read_whole(certificate: x509.Certificate) -> None:
    """Force lazy parsing now, so that malformed fields raise one of _BROKEN here and not during verification."""
    for name in ("subject", "issuer", "extensions", "not_valid_before_utc", "not_valid_after_utc"):
        getattr(certificate, name)
    certificate.public_key()


def _entries(table: bytes) -> Iterator[bytes]:
    """The certificates of a table, without entries of other kinds. Raises MalformedInput for an invalid table."""
    for number in range(_ENTRIES_AT_MOST):
        header = table[number * _ENTRY.size : (number + 1) * _ENTRY.size]
        if len(header) < _ENTRY.size:
            break
        guid, offset, length = _ENTRY.unpack(header)
        if not any(header):
            return
        if offset + length > len(table):
            raise MalformedInput(f"entry {number} of the certificate table is not inside it")
        if guid in _GUIDS:
            yield table[offset : offset + length]
    raise MalformedInput("the certificate table has no entry of zeros at its end")
