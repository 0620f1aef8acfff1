"""Reports of real platforms with AMD's certificates, and one with a certificate table made by somebody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from catalog import Release
from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.build.builder import BuildResult
from catalog.endorse.certificate import Certificate
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.endorsement import Endorsement, verify_report
from catalog.endorse.report_checks import id_key_digest
from catalog.errors import VerificationFailed
from catalog.evidence.sniff import sniff
from tests.real.shared import EXCHANGE_REPORTS, FIXTURES, SHARED, WILD
from tests.support.cli import Run

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


DSTACK, MILAN_VCEK = WILD / "dstack_chain_vcek_ask_ark.pem", WILD / "oak_milan_oc_release_vcek.der"
OTHER = "of another chip"
CHAINS = [
    (WILD / "dstack_nvidia_0.6.0.a2_report.bin", [DSTACK], None, "Milan"),
    (WILD / "oak_milan_oc_release.bin", [DSTACK, MILAN_VCEK], None, "Milan"),
    (WILD / "oak_milan_oc_release.bin", [MILAN_VCEK], None, None),
    (WILD / "oak_genoa_oc.bin", [WILD / "oak_genoa_oc_vcek.der"], None, None),
    (WILD / "secretvm_report_1vcpu.bin", [DSTACK], None, OTHER),
    (EVIDENCE / "uvm_snp_report.bin", [EVIDENCE / "host_amd_cert_thim_shape.json"], None, "Milan"),
    (FIXTURES / "report_trustee_vcek.bin", [DSTACK], None, OTHER),
    *(
        (EXCHANGE_REPORTS / f"{name}.bin", [EXCHANGE_REPORTS / "certs.pem"], root, None)
        for name in ("rep_a", "rep_a_alone", "rep_a_plain", "rep_other")
        for root in (None, EXCHANGE_REPORTS / "ca.pem")
    ),
]
"""Report, certificates, root that is given, and the product of AMD's root above it, or OTHER."""


@pytest.mark.parametrize(("report", "certs", "root", "product"), CHAINS)
def test_the_command_line_and_the_api_verify_alike(
    run: Run,
    small: BuildResult,
    tmp_path: Path,
    report: Path,
    certs: list[Path],
    root: Path | None,
    product: str | None,
) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    for one in certs:
        (folder / one.name).write_bytes(one.read_bytes())
    options = ["--certs", str(folder), "--at", "2026-11-01T00:00:00Z", "--require-verified", "-f", "json"]
    roots: tuple[bytes, ...] = ()
    if root:
        given = parse_certificates(root.read_bytes())
        roots = tuple(one.der for one in given if one.issuer == one.subject)
        (tmp_path / "root.der").write_bytes(roots[0])
        options += ["--root", str(tmp_path / "root.der")]
    code, out, _ = run("lookup", str(report), *options)
    found = json.loads(out)
    is_verified = root is not None or product not in (None, OTHER)
    assert found["verification"]["verified"] is is_verified
    assert found["verification"]["root"] == ("Milan" if product == OTHER else product)
    assert (code == 4, found["refused"] is None) == (not is_verified, is_verified)
    with Release.open(small.folder) as release:
        at = datetime.fromtimestamp(NOW, UTC)
        answer = release.lookup(report, certs=folder, roots=roots, at=at)
        assert answer.to_dict()["verification"] == found["verification"]
        if not is_verified:
            with pytest.raises(VerificationFailed, match="do not endorse"):
                release.lookup(report, certs=folder, roots=roots, at=at, require_verified=True)
