"""Certificates and revocation lists as Intel makes them for quotes, but with keys of the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.endorse.certificate import Certificate
from catalog.endorse.crl import RevocationList
from tests.support.certificate_builder import (
    NOW,
    OCTETS,
    SEQUENCE,
    TRUE,
    der,
    extension,
    identifier,
    name,
    number,
    time,
)

ROOT, PLATFORM, PCK, SIGNING = (
    "Intel SGX Root CA",
    "Intel SGX PCK Platform CA",
    "Intel SGX PCK Certificate",
    "Intel SGX TCB Signing",
)
SGX = "1.2.840.113741.1.13.1"
FMSPC = bytes.fromhex("b0c06f000000")
COMPONENTS = (3, 3, 2, 2, 4, 1, 0, 5, *bytes(8))
PCE_SVN = 13
SERIALS = {ROOT: 1, PLATFORM: 2, PCK: 3, SIGNING: 4}
_ECDSA = der(SEQUENCE, identifier("1.2.840.10045.4.3.2"))
_CA = {"2.5.29.19": der(SEQUENCE, TRUE), "2.5.29.15": der(0x03, b"\1\6")}


@cache
def p256_key(who: str) -> ec.EllipticCurvePrivateKey:
    """One key for each name."""
    return ec.generate_private_key(ec.SECP256R1())


def raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """r and s, 32 bytes each, big-endian."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def raw_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """x and y, 32 bytes each, big-endian."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def sgx_extensions(
    components: Sequence[int] = COMPONENTS, *, pce_svn: bytes = number(PCE_SVN), fmspc: bytes = FMSPC
) -> bytes:
    """The SGX extensions of a PCK certificate."""

    def pair(oid: str, value: bytes) -> bytes:
        return der(SEQUENCE, identifier(oid), value)

    parts = [pair(f"{SGX}.2.{at + 1}", number(svn)) for at, svn in enumerate(components)]
    tcb = der(SEQUENCE, *parts, pair(f"{SGX}.2.17", pce_svn))
    return der(
        SEQUENCE, pair(f"{SGX}.2", tcb), pair(f"{SGX}.3", der(OCTETS, bytes(2))), pair(f"{SGX}.4", der(OCTETS, fmspc))
    )


def intel_certificate(
    common: str,
    *,
    issuer: str,
    signer: str | None = None,
    since: int = 30,
    days: int = 9000,
    extensions: Mapping[str, bytes] | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Certificate:
    """common, issuer: common names. signer: whose key signs, if not the issuer's. since, days: its validity, from NOW.

    extensions: by OID; those of RFC 5280 are critical. key: its own.
    """
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=since)
    parts = [extension(oid, value, critical=oid.startswith("2.5.")) for oid, value in (extensions or {}).items()]
    public = (key or p256_key(common)).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = der(
        SEQUENCE,
        der(0xA0, number(2)),
        number(SERIALS.get(common, 9)),
        _ECDSA,
        name(issuer, "Intel Corporation"),
        der(SEQUENCE, time(start), time(start + timedelta(days=days))),
        name(common, "Intel Corporation"),
        public,
        der(0xA3, der(SEQUENCE, *parts)) if parts else b"",
    )
    return Certificate.parse(_signed(body, signer or issuer))


def intel_list(
    issuer: str,
    serials: Sequence[int] = (),
    *,
    signer: str | None = None,
    days: int | None = 60,
    critical: bool = False,
) -> RevocationList:
    """A revocation list from 30 days before NOW. days: for how long; None: without an end."""
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=30)
    entries = [der(SEQUENCE, number(serial), time(start)) for serial in serials]
    unknown = der(0xA0, der(SEQUENCE, extension("2.5.29.28", der(SEQUENCE), critical=True))) if critical else b""
    body = der(
        SEQUENCE,
        number(1),
        _ECDSA,
        name(issuer, "Intel Corporation"),
        time(start),
        b"" if days is None else time(start + timedelta(days=days)),
        der(SEQUENCE, *entries) if entries else b"",
        unknown,
    )
    return RevocationList.parse(_signed(body, signer or issuer))


def list_der(issuer: str) -> bytes:
    """A revocation list of nobody, in DER."""
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=30)
    parts = (number(1), _ECDSA, name(issuer, "Intel Corporation"), time(start), time(start + timedelta(days=60)))
    return _signed(der(SEQUENCE, *parts), issuer)


@cache
def root() -> Certificate:
    return intel_certificate(ROOT, issuer=ROOT, extensions=_CA)


@cache
def platform_ca() -> Certificate:
    return intel_certificate(PLATFORM, issuer=ROOT, extensions=_CA)


@cache
def pck() -> Certificate:
    return intel_certificate(PCK, issuer=PLATFORM, extensions={SGX: sgx_extensions()})


@cache
def tcb_signing() -> Certificate:
    return intel_certificate(SIGNING, issuer=ROOT)


def _signed(body: bytes, signer: str) -> bytes:
    signature = p256_key(signer).sign(body, ec.ECDSA(hashes.SHA256()))
    return der(SEQUENCE, body, _ECDSA, der(0x03, b"\0", signature))
