"""The attestation of dstack in SCALE: its version 0, whose quote is an attestation report and certificates.

Source: Dstack-TEE/dstack dstack-attest/src/attestation.rs, LegacyVersionedAttestation; SCALE codec: compact lengths.
"""

from __future__ import annotations

from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.endorse.certificate_forms import MOST_CERTIFICATES
from catalog.errors import MalformedInput
from catalog.evidence.evidence import Evidence

PREFIX = bytes([0, 3]) + (REPORT_SIZE << 2 | 1).to_bytes(2, "little")
"""Version 0, quote of SEV-SNP, and the length of its report."""


def read_scale(data: bytes) -> Evidence:
    """An attestation that begins with PREFIX; raises MalformedInput if it ends early or has too many certificates."""
    at = len(PREFIX) + REPORT_SIZE
    report = AttestationReport.parse(data[len(PREFIX) : at])
    count, at = _compact(data, at)
    if count > MOST_CERTIFICATES:
        raise MalformedInput(f"this attestation of dstack has {count} certificates", "a chain has three")
    certificates = []
    for _ in range(count):
        size, at = _compact(data, at)
        if size > len(data) - at:
            raise MalformedInput("this attestation of dstack ends within a certificate")
        certificates.append(data[at : at + size])
        at += size
    return Evidence("attestation report in an attestation of dstack", report, tuple(certificates))


def _compact(data: bytes, at: int) -> tuple[int, int]:
    """A compact number of up to 30 bits, and the offset behind it."""
    size = 1 << (data[at] & 3) if at < len(data) else 8
    if size > 4 or at + size > len(data):
        raise MalformedInput("this attestation of dstack has an invalid length")
    return int.from_bytes(data[at : at + size], "little") >> 2, at + size
