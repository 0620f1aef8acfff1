"""Certificates and revocation lists as AMD makes them, byte for byte, but signed with keys of the tests.

They are written in DER here, since libraries refuse to write the serial number 0, which AMD's VCEKs have.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.endorse.certificate import Certificate
from catalog.endorse.crl import RevocationList

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
AMD = "1.3.6.1.4.1.3704.1."
CRL_POINTS = "2.5.29.31"
SHA384 = hashes.SHA384()

INTEGER, OCTETS, IDENTIFIER, UTF8, PRINTABLE, IA5, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x0C, 0x13, 0x16, 0x30, 0x31
TRUE = bytes.fromhex("0101ff")
_NULL = bytes.fromhex("0500")


@cache
def ca_key(name: str) -> rsa.RSAPrivateKey:
    """One key for each name, cached since RSA keys take long to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def leaf_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def der(tag: int, *parts: bytes) -> bytes:
    """A value in DER."""
    contents = b"".join(parts)
    if len(contents) < 0x80:
        return bytes([tag, len(contents)]) + contents
    size = (len(contents).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(contents).to_bytes(size, "big") + contents


def number(value: int) -> bytes:
    """An INTEGER that is positive or zero: 213 has a byte of zeros before it."""
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def identifier(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    contents = b""
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        contents += bytes(reversed(digits))
    return der(IDENTIFIER, contents)


def ia5(text: str) -> bytes:
    """A text as in AMD's extensions, an IA5String."""
    return der(IA5, text.encode("ascii"))


def time(moment: datetime) -> bytes:
    """As RFC 5280 wants it: with two digits of the year before 2050."""
    if moment.year < 2050:
        return der(0x17, f"{moment:%y%m%d%H%M%SZ}".encode())
    return der(0x18, f"{moment:%Y%m%d%H%M%SZ}".encode())


def name(common: str, organization: str = "Advanced Micro Devices") -> bytes:
    """A name with AMD's attributes in AMD's order; without a common name if that is empty."""
    attributes = [
        ("2.5.4.11", UTF8, "Engineering"),
        ("2.5.4.6", PRINTABLE, "US"),
        ("2.5.4.7", UTF8, "Santa Clara"),
        ("2.5.4.8", UTF8, "CA"),
        ("2.5.4.10", UTF8, organization),
        *([("2.5.4.3", UTF8, common)] if common else []),
    ]
    return der(
        SEQUENCE,
        *(der(SET, der(SEQUENCE, identifier(oid), der(tag, text.encode()))) for oid, tag, text in attributes),
    )


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return der(SEQUENCE, identifier(oid), TRUE if critical else b"", der(OCTETS, value))


def certificate(
    common: str,
    *,
    issuer: str,
    key: Any = None,
    signer: str | None = None,
    days: int = 9000,
    since: int = 30,
    ca: bool | None = None,
    usage: int | None = None,
    serial: int = 0,
    mgf: hashes.HashAlgorithm = SHA384,
    salt: int | None = 48,
    digest: hashes.SHA384 | hashes.SHA256 = SHA384,
    organization: str = "Advanced Micro Devices",
    issuer_organization: str = "Advanced Micro Devices",
    extensions: Mapping[str, bytes | None] | None = None,
    critical: Sequence[str] = (),
) -> Certificate:
    """common, issuer: common names; empty for none. key: its own key. signer: name of another CA key that signs.

    since: days before NOW when its validity begins; days: for how long. ca: None for no basic constraints. usage: the
    first byte of a key usage. salt: length for PSS; None for PKCS #1 1.5. extensions: by OID below AMD's, or whole;
    None leaves one out. critical: OIDs of the critical ones.
    """
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=since)
    found = {_whole(oid): value for oid, value in (extensions or {}).items()}
    public = (key or ca_key(common)).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    parts = [
        *(
            extension(oid, value, critical=oid in map(_whole, critical))
            for oid, value in found.items()
            if value is not None
        ),
        *([extension("2.5.29.19", der(SEQUENCE, TRUE if ca else b""), critical=True)] if ca is not None else []),
        *([extension("2.5.29.15", der(0x03, b"\x01", bytes([usage])), critical=True)] if usage is not None else []),
    ]
    algorithm = _algorithm(mgf, salt, digest)
    body = der(
        SEQUENCE,
        der(0xA0, number(2)),
        number(serial),
        algorithm,
        name(issuer, issuer_organization),
        der(SEQUENCE, time(start), time(start + timedelta(days=days))),
        name(common, organization),
        public,
        der(0xA3, der(SEQUENCE, *parts)) if parts else b"",
    )
    return Certificate.parse(_signed(body, algorithm, signer or issuer, mgf, salt, digest))


def revocation_list(
    *,
    issuer: str = "ARK-Milan",
    signer: str | None = None,
    serials: Sequence[int] = (),
    since: int = 30,
    days: int | None = 365,
    entry_extensions: bytes = b"",
    extensions: bytes = b"",
) -> bytes:
    """A revocation list in DER. since, days: as of a certificate; days None: no next update. signer: as of one.

    entry_extensions: of each entry; extensions: of the list; both one after another.
    """
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=since)
    of_entry = der(SEQUENCE, entry_extensions) if entry_extensions else b""
    entries = [der(SEQUENCE, number(serial), time(start), of_entry) for serial in serials]
    algorithm = _algorithm(SHA384, 48, SHA384)
    body = der(
        SEQUENCE,
        number(1),
        algorithm,
        name(issuer),
        time(start),
        b"" if days is None else time(start + timedelta(days=days)),
        der(SEQUENCE, *entries) if entries else b"",
        der(0xA0, der(SEQUENCE, extensions)) if extensions else b"",
    )
    return _signed(body, algorithm, signer or issuer, SHA384, 48, SHA384)


def read_list(der: bytes) -> RevocationList:
    return RevocationList.parse(der)


def pem(certificate: bytes, label: str = "CERTIFICATE") -> bytes:
    """DER in PEM."""
    text = base64.b64encode(certificate).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _whole(oid: str) -> str:
    return oid if oid.startswith("2.5.") else AMD + oid


def _signed(
    body: bytes, algorithm: bytes, signer: str, mgf: hashes.HashAlgorithm, salt: int | None, digest: Any
) -> bytes:
    how = padding.PKCS1v15() if salt is None else padding.PSS(mgf=padding.MGF1(mgf), salt_length=salt)
    signature = ca_key(signer).sign(body, how, digest)
    return der(SEQUENCE, body, algorithm, der(0x03, b"\0", signature))


def _algorithm(mgf: hashes.HashAlgorithm, salt: int | None, digest: hashes.HashAlgorithm) -> bytes:
    """RSASSA-PSS with its parameters, or PKCS #1 1.5."""
    if salt is None:
        oid = {"sha384": "1.2.840.113549.1.1.12", "sha256": "1.2.840.113549.1.1.11"}[digest.name]
        return der(SEQUENCE, identifier(oid), _NULL)
    return der(
        SEQUENCE,
        identifier("1.2.840.113549.1.1.10"),
        der(
            SEQUENCE,
            der(0xA0, _hash(digest)),
            der(0xA1, der(SEQUENCE, identifier("1.2.840.113549.1.1.8"), _hash(mgf))),
            der(0xA2, number(salt)),
        ),
    )


def _hash(algorithm: hashes.HashAlgorithm) -> bytes:
    oid = {"sha384": "2.16.840.1.101.3.4.2.2", "sha256": "2.16.840.1.101.3.4.2.1"}[algorithm.name]
    return der(SEQUENCE, identifier(oid), _NULL)
