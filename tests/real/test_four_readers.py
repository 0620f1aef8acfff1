"""Four readers, one answer: public evidence in the command line, the service, the Python API and the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from catalog import Release
from catalog.build.builder import BuildResult
from tests.real.shared import EXCHANGE_REPORTS, FIXTURES, SHARED, WILD
from tests.support.browsers import Watched, chromium, page_of
from tests.support.cli import Run
from tests.support.four_readers import Answer, by_api, by_command, by_page, by_service
from tests.support.services import Service, service

EVIDENCE = SHARED / "vectors" / "evidence"
AMDSEV = ("ac7e7232f680", ["sid/ovmf-amdsev/OVMF.amdsev.fd"])
SEV = ("3e4fd0b3fe3b", ["sid/ovmf-amdsev/OVMF.amdsev.fd"])
REFUSED = None

WANTED = {
    EVIDENCE / "turin_v5_bit6_synthetic.bin": AMDSEV,
    EVIDENCE / "m_plat_bit8.bin": ...,
    EVIDENCE / "report_then_cert_table_synthetic.bin": AMDSEV,
    EVIDENCE / "snpguest_display_report.txt": AMDSEV,
    EVIDENCE / "amd_parse_report.txt": AMDSEV,
    EVIDENCE / "igvmmeasure_output.txt": AMDSEV,
    EVIDENCE / "azure_evidence_v1_shape.json": AMDSEV,
    EVIDENCE / "azure_evidence_v0_shape.json": AMDSEV,
    EVIDENCE / "report_b64url.txt": AMDSEV,
    EVIDENCE / "report_b64url_padded.txt": AMDSEV,
    EVIDENCE / "uvm_snp_report.bin": ...,
    EVIDENCE / "sev610_milan_v4.bin": AMDSEV,
    EVIDENCE / "id_block.b64": AMDSEV,
    EVIDENCE / "id_block.bin": AMDSEV,
    EVIDENCE / "fake.igvm": REFUSED,
    EVIDENCE / "maa_claims.json": AMDSEV,
    EVIDENCE / "m_trail.bin": ...,
    EVIDENCE / "report_xxd.txt": AMDSEV,
    EVIDENCE / "report_milan_synthetic.bin": ...,
    EVIDENCE / "qmp_sev_attestation_report.json": SEV,
    EVIDENCE / "host_amd_cert_thim_shape.json": REFUSED,
    EVIDENCE / "ovmf_hash_only.toml": ...,
    EVIDENCE / "ovmf_hash_only_go.json": REFUSED,
    EVIDENCE / "go_sev_guest_textproto_like.json": ...,
    FIXTURES / "report_go_sev_guest.bin": ...,
    FIXTURES / "report_trustee_vcek.bin": ...,
    **{EXCHANGE_REPORTS / f"{name}.bin": ... for name in ("rep_a", "rep_a_alone", "rep_a_plain", "rep_other")},
    WILD / "dstack_nvidia_0.6.0.a2_report.bin": ...,
    WILD / "oak_genoa_oc.bin": ...,
    WILD / "oak_milan_oc_release.bin": ...,
    WILD / "secretvm_report_1vcpu.bin": ...,
}
"""The first digits of the digest, and the firmware of the matches. `...`: a digest, whatever it is."""


@pytest.fixture(scope="module")
def served(default: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), default.folder) as found:
        yield found


@pytest.fixture(scope="module")
def seen(served: Service) -> Iterator[Watched]:
    with chromium() as browser, page_of(browser) as page:
        page.page.goto(f"{served.url}/")
        yield page


def test_public_evidence_has_one_answer(seen: Watched, served: Service, default: BuildResult, run: Run) -> None:
    found: dict[Path, tuple[Answer, ...]] = {}
    inputs = [path.read_bytes() for path in WANTED]
    with Release.open(default.folder) as release:
        for path, data, on_page in zip(WANTED, inputs, by_page(seen.page, inputs), strict=True):
            by_line = by_command(run, path, "--catalog", str(default.folder))
            found[path] = (by_line, by_service(served, data), by_api(release, data), on_page)
    assert {path.name: answers for path, answers in found.items() if answers != (answers[0],) * 4} == {}
    told = {path: answers[0] and (answers[0]["digest"][:12], answers[0]["names"]) for path, answers in found.items()}
    assert {path: ... if answer and WANTED[path] is ... else answer for path, answer in told.items()} == WANTED


def test_several_digests_are_answered_by_each_reader(
    seen: Watched, served: Service, default: BuildResult, run: Run
) -> None:
    path = EVIDENCE / "two_digests.txt"
    first, _ = path.read_text(encoding="utf-8").split()
    status, body, _ = served.ask("/v1/lookup", method="POST", body=path.read_bytes())
    code, out, _ = run("lookup", str(path), "-f", "json", "--catalog", str(default.folder))
    assert (status, code) == (200, 0)
    by_line = [json.loads(line)["launch_digest"] for line in out.splitlines()]
    assert by_line == [one["launch_digest"] for one in json.loads(body)["answers"]]
    seen.page.set_input_files("#file", path)
    rows = seen.page.locator("#answer tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(first)
    expect(rows.first).to_contain_text(AMDSEV[1][0])
