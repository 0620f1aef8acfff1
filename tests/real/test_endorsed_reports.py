"""Reports of real platforms with AMD's certificates, and one with a certificate table made by somebody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.endorse.certificate import Certificate
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.endorsement import Endorsement, verify_report
from catalog.endorse.report_checks import id_key_digest
from catalog.evidence.sniff import sniff
from tests.real.shared import EXCHANGE_REPORTS, SHARED, WILD

EVIDENCE = SHARED / "vectors" / "evidence"
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


@pytest.mark.parametrize("name", ["rep_a", "rep_a_alone", "rep_a_plain", "rep_other"])
def test_every_report_of_the_exchange_is_verified_only_by_its_root(name: str) -> None:
    evidence = sniff((EXCHANGE_REPORTS / f"{name}.bin").read_bytes())
    assert evidence.report is not None
    given = parse_certificates((EXCHANGE_REPORTS / "certs.pem").read_bytes())
    (ark,) = [
        one for one in parse_certificates((EXCHANGE_REPORTS / "ca.pem").read_bytes()) if one.issuer == one.subject
    ]
    assert verify_report(evidence.report, given, NOW, [ark], strict=True).verified
    alone = verify_report(evidence.report, given, NOW)
    assert [one.code for one in alone.findings if one.passed is False] == ["root"]


def test_certificates_as_azure_hands_them_to_a_container_verify_its_report() -> None:
    evidence = sniff((EVIDENCE / "uvm_snp_report.bin").read_bytes())
    assert evidence.report is not None
    given = parse_certificates((EVIDENCE / "host_amd_cert_thim_shape.json").read_bytes())
    found = verify_report(evidence.report, given, NOW, strict=True)
    assert (found.verified, found.root) == (True, "Milan")


def test_a_report_is_not_verified_by_the_chain_of_another_chip() -> None:
    chain = parse_certificates((WILD / "dstack_chain_vcek_ask_ark.pem").read_bytes())
    found = judged((WILD / "secretvm_report_1vcpu.bin").read_bytes(), chain)
    assert {one.code for one in found.findings if one.passed is False} == {"chip", "product", "signature", "tcb"}


def test_the_digest_of_an_id_key_is_that_of_the_exchange() -> None:
    exchange = EXCHANGE_REPORTS.parent
    key = load_pem_private_key((exchange / "test-keys" / "id.pem").read_bytes(), None)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    wanted = json.loads((exchange / "a" / "id-keys.json").read_text())["id_key_digest"]
    assert id_key_digest(public).hex() == wanted
    report = sniff((EXCHANGE_REPORTS / "rep_a.bin").read_bytes()).report
    assert report is not None
    assert report.id_key_digest.hex() == wanted
