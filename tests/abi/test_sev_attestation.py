"""SevAttestationReport: the fields of 208 bytes, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi.sev_attestation import SEV_REPORT_SIZE, SevAttestationReport
from catalog.errors import MalformedInput

NONCE, DIGEST, SIGNATURE = bytes(range(16)), bytes(range(100, 132)), bytes(range(1, 145))


def raw_report(policy: int, usage: int = 0x1002) -> bytes:
    numbers = b"".join(number.to_bytes(4, "little") for number in (policy, usage, 2, 0))
    return NONCE + DIGEST + numbers + SIGNATURE


@pytest.mark.parametrize(("policy", "technology"), [(1, "sev"), (5, "sev-es"), (0xFFFF_FFFF, "sev-es")])
def test_fields(policy: int, technology: str) -> None:
    report = SevAttestationReport.parse(raw_report(policy))
    assert (report.nonce, report.measurement.value, report.signature) == (NONCE, DIGEST, SIGNATURE)
    assert (report.policy, report.technology) == (policy, technology)
    assert report.to_dict() == {
        "nonce": NONCE.hex(),
        "measurement": DIGEST.hex(),
        "policy": f"{policy:#x}",
        "key_usage": "0x1002",
        "algorithm": "0x2",
    }


@pytest.mark.parametrize(
    ("raw", "message"), [(bytes(207), "208 bytes, not 207"), (raw_report(1, 0x1001), "usage 0x1001, not the PEK")]
)
def test_refused(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        SevAttestationReport.parse(raw)


@given(st.binary(min_size=SEV_REPORT_SIZE, max_size=SEV_REPORT_SIZE))
def test_every_report_signed_by_a_pek_is_read(raw: bytes) -> None:
    report = SevAttestationReport.parse(raw[:0x34] + (0x1002).to_bytes(4, "little") + raw[0x38:])
    assert report.measurement.value == raw[0x10:0x30]
