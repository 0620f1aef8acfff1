"""Attestation reports, and certificates that endorse them: with AMD's names and extensions, but other keys."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from catalog.abi.report import SIGNED_SIZE

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
CHIP = bytes(range(1, 65))
AMD = "1.3.6.1.4.1.3704.1."
TCB = {"bootloader": 4, "tee": 0, "snp": 22, "microcode": 213}
SHA384 = hashes.SHA384()
SPL = {"bootloader": "3.1", "tee": "3.2", "snp": "3.3", "microcode": "3.8", "fmc": "3.9"}


def report_bytes(
    *,
    version: int = 3,
    policy: int = 0x30000,
    vmpl: int = 0,
    measurement: bytes = bytes(48),
    cpuid: tuple[int, int, int] = (0x19, 0x01, 0x01),
    tcb: bytes | None = None,
    key_info: int = 0,
    chip: bytes = CHIP,
    platform_info: int = 0x25,
) -> bytes:
    """An unsigned report."""
    packed = tcb or bytes([TCB["bootloader"], TCB["tee"], 0, 0, 0, 0, TCB["snp"], TCB["microcode"]])
    raw = bytearray(1184)
    struct.pack_into("<IIQ", raw, 0, version, 1, policy)
    struct.pack_into("<II", raw, 0x30, vmpl, 1)
    struct.pack_into("<QI", raw, 0x40, platform_info, key_info)
    raw[0x90:0xC0] = measurement
    for at in (0x38, 0x180, 0x1E0, 0x1F0):
        raw[at : at + 8] = packed
    if version >= 3:
        raw[0x188:0x18B] = bytes(cpuid)
    raw[0x1A0:0x1E0] = chip
    raw[0x1E8:0x1EB] = raw[0x1EC:0x1EF] = bytes([8, 55, 1])
    return bytes(raw)


@cache
def ca_key(name: str) -> rsa.RSAPrivateKey:
    """One key for each name, cached since RSA keys take long to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def leaf_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@dataclass(frozen=True)
class Chain:
    leaf: x509.Certificate
    ask: x509.Certificate
    ark: x509.Certificate

    @property
    def all(self) -> list[x509.Certificate]:
        return [self.leaf, self.ask, self.ark]


def chain(
    *,
    key: str = "VCEK",
    product: str = "Milan",
    stepping: str | None = "-B0",
    tcb: Mapping[str, int] = TCB,
    chip: bytes = CHIP,
    days: int = 365,
    leaf: Mapping[str, Any] | None = None,
    ask: Mapping[str, Any] | None = None,
    ark: Mapping[str, Any] | None = None,
) -> Chain:
    """A complete chain. leaf, ask, ark: changes to one certificate, as arguments of `certificate`.

    extensions of the leaf: by OID below AMD's, in addition to the right ones; None removes one.
    """
    middle = f"SEV-{product}" if key == "VCEK" else f"SEV-VLEK-{product}"
    root = f"ARK-{product}"
    extensions: dict[str, bytes | None] = {"1": b"\x02\x01\x01"}
    extensions |= {} if stepping is None else {"2": ia5(product + stepping)}
    extensions |= {SPL[part]: der(2, bytes([value])) for part, value in tcb.items()}
    extensions |= {"4": chip} if key == "VCEK" else {"5": ia5("cloud.example")}
    other = {**(leaf or {})}
    extensions |= other.pop("extensions", {})
    of_issuer: dict[str, Any] = {"issuer": root, "ca": True}
    of_leaf: dict[str, Any] = {
        "key": leaf_key("leaf"),
        "issuer": middle,
        "days": days,
        "extensions": extensions,
    } | other
    return Chain(
        certificate(f"SEV-{key}", **of_leaf),
        certificate(middle, **(of_issuer | {**(ask or {})})),
        certificate(root, **(of_issuer | {**(ark or {})})),
    )


def signed(report: bytes, name: str = "leaf") -> bytes:
    """The report with a signature."""
    r, s = decode_dss_signature(leaf_key(name).sign(report[:SIGNED_SIZE], ec.ECDSA(hashes.SHA384())))
    halves = r.to_bytes(72, "little") + s.to_bytes(72, "little")
    return report[:SIGNED_SIZE] + halves.ljust(512, b"\0")


def certificate_table(entries: Mapping[bytes, bytes]) -> bytes:
    """Certificates by GUID, in the format in which a host hands them to its guest."""
    offset = 24 * (len(entries) + 1)
    header, body = b"", b""
    for guid, der in entries.items():
        header += struct.pack("<16sII", guid, offset + len(body), len(der))
        body += der
    return header + bytes(24) + body


def der(tag: int, value: bytes) -> bytes:
    """A short value in DER."""
    return bytes([tag, len(value)]) + value


def ia5(text: str) -> bytes:
    """A text as in AMD's extensions, an IA5String."""
    return der(0x16, text.encode("ascii"))


def certificate(
    name: str,
    *,
    issuer: str,
    key: Any = None,
    signer: str | None = None,
    days: int = 9000,
    since: int = 30,
    ca: bool | None = None,
    mgf: hashes.HashAlgorithm = SHA384,
    salt: int | None = 48,
    digest: hashes.SHA384 | hashes.SHA256 = SHA384,
    organization: str = "Advanced Micro Devices",
    issuer_organization: str = "Advanced Micro Devices",
    extensions: Mapping[str, bytes | None] | None = None,
) -> x509.Certificate:
    """name, issuer: common names; empty for none. key: its own key. signer: name of another CA key that signs.

    since: days before NOW when its validity begins; days: for how long. ca: None for no basic constraints. salt: length
    for PSS; None for PKCS #1 1.5.
    """
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=since)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_amd_name(name, organization))
        .issuer_name(_amd_name(issuer, issuer_organization))
        .public_key((key or ca_key(name)).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    for oid, value in (extensions or {}).items():
        if value is not None:
            extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(AMD + oid), value)
            builder = builder.add_extension(extension, critical=False)
    how = padding.PKCS1v15() if salt is None else padding.PSS(mgf=padding.MGF1(mgf), salt_length=salt)
    return builder.sign(ca_key(signer or issuer), digest, rsa_padding=how)


def _amd_name(name: str, organization: str) -> x509.Name:
    organization_attribute = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization)
    return x509.Name([organization_attribute, *([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else [])])
