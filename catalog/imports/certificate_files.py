"""Certificates of any kind in PEM or DER, as published documents and the reader's roots have them.

AMD's are read by `catalog.endorse.certificate`: this library comes to refuse their serial number.
"""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from catalog.errors import MalformedInput

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


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """Every certificate of a file: PEM, or one in DER; raises MalformedInput for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a malformed name is only warned of
            in_pem = _PEM in data
            found = x509.load_pem_x509_certificates(data) if in_pem else [x509.load_der_x509_certificate(data)]
            for certificate in found:
                _read_whole(certificate)
    except _BROKEN as error:
        raise MalformedInput("no certificates in PEM or DER") from error
    return found


def _read_whole(certificate: x509.Certificate) -> None:
    """Force lazy parsing now, so that malformed fields raise one of _BROKEN here and not during verification."""
    for name in ("subject", "issuer", "extensions", "not_valid_before_utc", "not_valid_after_utc"):
        getattr(certificate, name)
    certificate.public_key()
