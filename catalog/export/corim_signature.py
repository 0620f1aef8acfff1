"""The signature of a CoRIM: a COSE_Sign1 that says who signed, and from when to when the signature counts.

Source: draft-ietf-rats-corim, signed CoRIM; RFC 9360, 2 (x5chain); veraison/corim 53b3014, corim/signedcorim.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509 import Certificate

from catalog.errors import MalformedInput, UsageError, VerificationFailed
from catalog.export.private_keys import CORIM, load_key
from catalog.export.settings import GivenFile, Settings
from catalog.export.writers.cbor_writer import encode
from catalog.export.writers.cose_writer import sign1
from catalog.imports.cbor import Tagged
from catalog.imports.certificate_files import load_certificates
from catalog.imports.chains import MOST_CERTIFICATES, der, subject, validity, verify_chain
from catalog.imports.cose_sign1 import CONTENT_TYPE, X5CHAIN
from catalog.imports.dates import day

Party = dict[int, Any]
"""Name (0) and URI (1) of a corim-signer-map or an entity-map; an entity has roles (2), too."""

_META = 8
"""Header parameter: a corim-meta-map."""
_TIME = 1
"""CBOR tag."""


def sign_corim(corim: bytes, signer: Party, valid: tuple[int, int], key_file: GivenFile, settings: Settings) -> bytes:
    """A CoRIM signed by a key, with the certificates of the key if the settings have them.

    corim: with its tag. valid: when its validity begins and ends, in seconds since 1970. The signature counts as long
    as the CoRIM is valid, and all certificates are.
    Raises UsageError and MalformedInput for a key or certificates that do not fit.
    """
    key = load_key(key_file, settings.passphrase, CORIM)
    headers: dict[int, Any] = {CONTENT_TYPE: "application/rim+cbor"}
    begin, end = valid
    if settings.cert is not None:
        chain = _chain(settings.cert, key_file.name, key.public_key())
        begin, end = _while_valid(chain, valid, settings.cert.name)
        _check_issuers(chain, begin, settings.cert.name)
        ders = [der(one) for one in chain]
        headers[X5CHAIN] = ders if len(ders) > 1 else ders[0]
    headers[_META] = encode({0: signer, 1: {0: Tagged(_TIME, begin), 1: Tagged(_TIME, end)}})
    return sign1(headers, corim, key)


def _chain(file: GivenFile, key_name: str, public: PublicKeyTypes) -> Sequence[Certificate]:
    """The certificates of a file, the signer's first; raises MalformedInput."""
    try:
        chain = load_certificates(file.data)
    except MalformedInput as error:
        raise MalformedInput(f"{file.name}: {error}") from error
    if len(chain) > MOST_CERTIFICATES:
        raise MalformedInput(f"{file.name} has {len(chain)} certificates, not 1 to {MOST_CERTIFICATES}")
    if chain[0].public_key() != public:
        raise MalformedInput(
            f"{file.name}: the first certificate, of {subject(chain[0])!r}, is not of the key in {key_name}",
            "put the signer's certificate first, then its issuers'",
        )
    return chain


def _while_valid(chain: Sequence[Certificate], valid: tuple[int, int], name: str) -> tuple[int, int]:
    """From when to when both the values and all certificates are valid, in seconds since 1970."""
    starts, ends = zip(valid, *map(validity, chain), strict=True)
    if max(starts) < min(ends):
        return max(starts), min(ends)
    raise UsageError(
        f"{name}: the certificates are not valid at any time from {day(valid[0])} to {day(valid[1])}",
        "give other certificates, or another validity of the values: --valid-from, --days",
    )


def _check_issuers(chain: Sequence[Certificate], at: int, name: str) -> None:
    """Raises MalformedInput unless each certificate is signed by the next one."""
    try:
        verify_chain(chain, at, name)
    except VerificationFailed as error:
        raise MalformedInput(str(error), "put the signer's certificate first, then its issuers'") from error
