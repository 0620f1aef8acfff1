"""Endorsement: the real report and chain that omne-attest ships, and a made chain for everything that can fail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from omne_attest import vectors

from catalog.abi.certificates import parse_certificates
from catalog.abi.endorsement import Endorsement, verify_report
from catalog.abi.report import AttestationReport
from tests.attestation_builder import CHIP, NOW, TCB, chain, leaf_key, report_bytes, signed

TURIN = {"fmc": 1, **TCB}
TURIN_TCB = bytes([1, TCB["bootloader"], TCB["tee"], TCB["snp"], 0, 0, 0, TCB["microcode"]])


def verified(raw: bytes, certificates: list[x509.Certificate], now: float = NOW) -> Endorsement:
    return verify_report(AttestationReport.parse(raw), certificates, now)


def failed(endorsement: Endorsement) -> list[str]:
    return sorted({finding.check for finding in endorsement.findings if finding.passed is False})


def test_a_real_report_with_amds_chain() -> None:
    certificates = [
        found for der in (vectors.vcek(), vectors.ask(), vectors.ark()) for found in parse_certificates(der)
    ]
    now = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
    endorsement = verified(vectors.attestation(), certificates, now)
    assert endorsement.verified
    assert [f for f in endorsement.findings if f.check == "root" and f.passed and "AMD's for Milan" in f.detail]
    changed = bytearray(vectors.attestation())
    changed[0x90] ^= 1
    assert failed(verified(bytes(changed), certificates, now)) == ["signature"]
    assert failed(verified(vectors.attestation(), certificates, NOW)) == ["validity"]


def test_a_made_chain_is_verified_and_its_root_is_said_not_to_be_amds() -> None:
    endorsement = verified(signed(report_bytes()), chain().all)
    assert endorsement.verified
    (root,) = [finding for finding in endorsement.findings if finding.check == "root"]
    assert root.passed is None
    assert "none of AMD's" in root.detail


@pytest.mark.parametrize(
    ("report", "changes"),
    [
        pytest.param({"key_info": 1 << 2}, {"key": "VLEK"}, id="VLEK"),
        pytest.param(
            {"cpuid": (0x1A, 2, 1), "tcb": TURIN_TCB, "chip": CHIP[:8].ljust(64, b"\0")},
            {"product": "Turin", "stepping": "", "tcb": TURIN, "chip": CHIP[:8]},
            id="Turin, chip id bare",
        ),
        pytest.param(
            {"cpuid": (0x1A, 2, 1), "tcb": TURIN_TCB, "chip": CHIP[:8].ljust(64, b"\0")},
            {"product": "Turin", "stepping": "", "tcb": TURIN, "chip": b"\x04\x08" + CHIP[:8]},
            id="Turin, chip id an octet string",
        ),
        pytest.param({"cpuid": (0x19, 0xA0, 2)}, {"product": "Genoa"}, id="Siena has Genoa's"),
        pytest.param({"version": 2}, {}, id="a report that does not say of which product it is"),
        pytest.param({"chip": bytes(64)}, {}, id="masked chip id"),
    ],
)
def test_what_is_endorsed(report: dict[str, Any], changes: dict[str, Any]) -> None:
    endorsement = verified(signed(report_bytes(**report)), chain(**changes).all)
    assert failed(endorsement) == []


@pytest.mark.parametrize(
    ("report", "changes", "checks"),
    [
        pytest.param({}, {"leaf_signed_by": "another"}, ["chain"], id="leaf not signed by the ASK"),
        pytest.param({}, {"ask_signed_by": "another"}, ["chain"], id="ASK not signed by the ARK"),
        pytest.param({}, {"ca": False}, ["chain"], id="ASK may not sign"),
        pytest.param({}, {"days": 20}, ["validity"], id="expired"),
        pytest.param({}, {"tcb": {**TCB, "snp": 21}}, ["TCB"], id="other TCB"),
        pytest.param({}, {"tcb": {"bootloader": 4}}, ["TCB"], id="TCB not said"),
        pytest.param({}, {"tcb": TURIN}, ["TCB"], id="fmc certified, none reported"),
        pytest.param({}, {"chip": CHIP[::-1]}, ["chip"], id="other chip"),
        pytest.param({}, {"chip": b"x"}, ["chip"], id="no chip id"),
        pytest.param({"cpuid": (0x19, 0x11, 1)}, {}, ["product"], id="report of another product"),
        pytest.param({"key_info": 1 << 2}, {}, ["signature"], id="VLEK says the report, VCEK is given"),
        pytest.param({"key_info": 7 << 2}, {}, ["signature"], id="not signed"),
        pytest.param({}, {"stepping": None}, ["product"], id="product not said"),
    ],
)
def test_everything_that_fails_is_said(report: dict[str, Any], changes: dict[str, Any], checks: list[str]) -> None:
    endorsement = verified(signed(report_bytes(**report)), chain(**changes).all)
    assert not endorsement.verified
    assert failed(endorsement) == checks


def test_a_key_that_is_not_of_the_curve_has_signed_nothing() -> None:
    endorsement = verified(signed(report_bytes()), chain(leaf_is_a_ca=True).all)
    assert failed(endorsement) == ["signature"]


def test_a_chain_that_is_not_signed_as_amd_signs() -> None:
    assert failed(verified(signed(report_bytes()), chain(pss=False).all)) == ["chain"]


def test_all_that_fails_and_not_the_first_alone() -> None:
    made = chain(days=20, tcb={**TCB, "tee": 9}, chip=CHIP[::-1], leaf_signed_by="another")
    assert failed(verified(signed(report_bytes()), made.all)) == ["TCB", "chain", "chip", "validity"]


def test_a_broken_link_hides_nothing_above_it() -> None:
    for changes in ({"leaf_signed_by": "another"}, {"ca": False}):
        endorsement = verified(signed(report_bytes()), chain(**changes).all)
        details = [finding.detail for finding in endorsement.findings]
        assert "the ARK is signed by itself" in details
        assert {f"the {name} is valid from" for name in ("VCEK", "ASK", "ARK")} <= {
            d[: d.find("from") + 4] for d in details
        }
        assert any(finding.check == "root" for finding in endorsement.findings)


def test_signatures_that_are_none() -> None:
    good, made = signed(report_bytes()), chain()
    for changed in (report_bytes(), signed(report_bytes(), "another"), good[:0x2A0] + b"\xff" * 72 + good[0x2E8:]):
        assert failed(verified(changed, made.all)) == ["signature"]
    algorithm = report_bytes()[:0x34] + b"\x02\0\0\0" + report_bytes()[0x38:]
    assert failed(verified(signed(algorithm), made.all)) == ["signature"]
    assert leaf_key("leaf") is not leaf_key("another")


@pytest.mark.parametrize(
    ("missing", "said"), [(0, "VCEK certificate"), (1, "issued by an ASK"), (2, "issued by an ARK")]
)
def test_certificates_that_are_missing(missing: int, said: str) -> None:
    certificates = chain().all
    del certificates[missing]
    endorsement = verified(signed(report_bytes()), certificates)
    assert not endorsement.verified
    assert any(said in finding.detail for finding in endorsement.findings if finding.passed is False)
