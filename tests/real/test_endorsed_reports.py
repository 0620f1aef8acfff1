"""Reports of real platforms with AMD's certificates, and one with a certificate table made by somebody else."""

from __future__ import annotations

from datetime import UTC, datetime

from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.endorse.certificate import Certificate
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.endorsement import Endorsement, verify_report
from tests.real.shared import EXCHANGE_REPORTS, WILD

NOW = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


def judged(report: bytes, certificates: list[Certificate], *roots: Certificate) -> Endorsement:
    return verify_report(AttestationReport.parse(report[:REPORT_SIZE]), certificates, NOW, roots)


def test_reports_of_real_platforms_are_verified_only_by_amds_root() -> None:
    chain = parse_certificates((WILD / "dstack_chain_vcek_ask_ark.pem").read_bytes())
    vcek = parse_certificates((WILD / "oak_milan_oc_release_vcek.der").read_bytes())
    for name, certificates in (
        ("dstack_nvidia_0.6.0.a2_report.bin", chain),
        ("oak_milan_oc_release.bin", [*chain, *vcek]),
    ):
        endorsement = judged((WILD / name).read_bytes(), certificates)
        assert endorsement.verified
        assert (endorsement.root, endorsement.trusted_by) == ("Milan", "amd")


def test_a_table_with_its_own_ark_verifies_nothing() -> None:
    with_table = (EXCHANGE_REPORTS / "rep_a.bin").read_bytes()
    table = parse_certificates(with_table[REPORT_SIZE:])
    endorsement = judged(with_table, table)
    assert [finding.code for finding in endorsement.findings if finding.passed is False] == ["root"]
    (ark,) = [
        one for one in parse_certificates((EXCHANGE_REPORTS / "ca.pem").read_bytes()) if one.issuer == one.subject
    ]
    assert judged(with_table, table, ark).trusted_by == "given"
    assert judged(with_table, table, ark).verified
