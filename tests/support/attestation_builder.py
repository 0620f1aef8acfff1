"""Attestation reports, and certificates that endorse them: with AMD's names and extensions, but other keys."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from catalog.abi.report import SIGNED_SIZE
from catalog.endorse.certificate import Certificate
from tests.support.certificate_builder import CRL_POINTS, NOW, ca_key, certificate, der, ia5, leaf_key, number

__all__ = ["NOW", "ca_key", "certificate", "der", "ia5", "leaf_key"]

CHIP = bytes(range(1, 65))
TCB = {"bootloader": 4, "tee": 0, "snp": 22, "microcode": 213}
SPL = {"bootloader": "3.1", "tee": "3.2", "snp": "3.3", "microcode": "3.8", "fmc": "3.9"}
RESERVED_SPL = {"3.4": 0, "3.5": 0, "3.6": 0, "3.7": 0}
SERIALS = {"ASK": 65537, "ASVK": 65793, "ARK": 65536}
"""As of Milan's."""


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


@dataclass(frozen=True)
class Chain:
    leaf: Certificate
    ask: Certificate
    ark: Certificate

    @property
    def all(self) -> list[Certificate]:
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
    extensions: dict[str, bytes | None] = {"1": number(0 if key == "VCEK" else 1)}
    extensions |= {} if stepping is None else {"2": ia5(product + stepping)}
    spl = {SPL[part]: value for part, value in tcb.items()}
    extensions |= {oid: number(value) for oid, value in (spl | RESERVED_SPL).items()}
    extensions |= {"4": chip} if key == "VCEK" else {"5": ia5("cloud.example")}
    other = {**(leaf or {})}
    extensions |= other.pop("extensions", {})
    points = {CRL_POINTS: _crl_points(f"https://kdsintf.amd.com/{key.lower()}/v1/{product}/crl")}
    of_issuer: dict[str, Any] = {"issuer": root, "ca": True, "extensions": points}
    of_middle = {**of_issuer, "usage": 0x04, "serial": SERIALS["ASK" if key == "VCEK" else "ASVK"]}
    of_root = {**of_issuer, "usage": 0x06, "serial": SERIALS["ARK"]}
    of_leaf: dict[str, Any] = {
        "key": leaf_key("leaf"),
        "issuer": middle,
        "days": days,
        "extensions": extensions,
    } | other
    return Chain(
        certificate(f"SEV-{key}", **of_leaf),
        certificate(middle, **(of_middle | {**(ask or {})})),
        certificate(root, **(of_root | {**(ark or {})})),
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
    for guid, data in entries.items():
        header += struct.pack("<16sII", guid, offset + len(body), len(data))
        body += data
    return header + bytes(24) + body


def _crl_points(url: str) -> bytes:
    """Where the revocation list is, as in AMD's ASKs and ARKs."""
    return der(0x30, der(0x30, der(0xA0, der(0xA0, der(0x86, url.encode())))))
