"""Reports that tools and hosts have published: the digest of each is read, and only what is new in one has a note."""

from __future__ import annotations

import pytest

from catalog.abi.report import REPORT_SIZE, AttestationReport
from tests.real.shared import EXCHANGE_REPORTS, FIXTURES, SHARED, WILD

CASES = SHARED / "vectors" / "evidence"
IN_CATALOG = "ac7e7232f680f70c0ad60257f927d6b403669984323384838ba3e4096c6f8177ae19c8b5489842bac561920667b8f780"


def test_every_published_report_is_read_without_a_note() -> None:
    files = [path for folder in (FIXTURES, EXCHANGE_REPORTS, WILD) for path in sorted(folder.glob("*.bin"))]
    reports = {path.name: path.read_bytes() for path in files if path.stat().st_size == REPORT_SIZE}
    assert len(reports) >= 7
    assert {name: AttestationReport.parse(raw).unknown for name, raw in reports.items()} == dict.fromkeys(reports, ())


@pytest.mark.parametrize(
    ("name", "digest", "codes"),
    [
        ("turin_v5_bit6_synthetic.bin", IN_CATALOG, []),
        ("m_plat_bit8.bin", None, ["platform-bit-unknown"]),
        ("sev610_milan_v4.bin", IN_CATALOG, ["tcb-layout-unknown"]),
        ("m_trail.bin", None, ["reserved-not-zero"]),
    ],
)
def test_a_report_that_was_refused_before(name: str, digest: str | None, codes: list[str]) -> None:
    report = AttestationReport.parse((CASES / name).read_bytes())
    assert [note.code for note in report.unknown] == codes
    assert digest in (None, report.measurement.hex())
    assert report.measurement.value == report.raw[0x90:0xC0]


def test_the_turin_report_names_its_bits_and_components() -> None:
    report = AttestationReport.parse((CASES / "turin_v5_bit6_synthetic.bin").read_bytes())
    assert report.platform_info.iommu_write_safe
    assert str(report.reported_tcb) == "fmc 1, bootloader 1, tee 1, snp 4, microcode 81"
    assert (report.launch_mit_vector, report.current_mit_vector) != (None, None)
