"""Evidence on the page: what was read is said, and several digests are answered in a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from catalog.build.builder import BuildResult
from tests.support.attestation_builder import certificate_table, chain, report_bytes
from tests.support.browsers import Watched, paste
from tests.support.catalogs import rows_of
from tests.support.cli import Run
from tests.support.services import Service

NOWHERE = "12" * 48
VCEK = bytes.fromhex("63da758de6644564adc5f4b93be8accd")


@pytest.fixture(scope="module")
def digest(small: BuildResult) -> str:
    return next(digest.hex() for inputs, digest in rows_of(small).items() if inputs[0] == "sev-snp")


def test_several_digests_are_answered_in_a_table(seen: Watched, served: Service, digest: str) -> None:
    seen.page.goto(f"{served.url}/")
    paste(seen, f"{digest}\n# a comment\n\nsha384:{NOWHERE}\nnot a digest\n{digest}  launch.txt\n")
    rows = seen.page.locator("#answer tbody tr")
    expect(rows).to_have_count(4)
    lines = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert [line[:2] for line in lines] == [["1", digest], ["4", NOWHERE], ["5", ""], ["6", digest]]
    assert [line[2] for line in lines[1:3]] == ["not listed", "not a launch digest"]
    assert lines[0][2] == lines[3][2]
    assert lines[0][2].startswith("sev-snp: ")
    rows.nth(3).locator("a").click()
    expect(seen.page.locator("#answer .digest")).to_have_text(digest)
    assert seen.page.url.endswith(f"#d={digest}")
    assert seen.errors == []


def test_a_hundred_lines_are_looked_up_at_once(seen: Watched, served: Service) -> None:
    seen.page.goto(f"{served.url}/")
    paste(seen, f"{NOWHERE}\n" * 101)
    expect(seen.page.locator("#answer")).to_contain_text("This page looks up 100 lines at once, and these are 101.")
    expect(seen.page.locator("#answer .hint")).to_have_text("The command line takes 30,000: ldcat lookup FILE")
    paste(seen, f"{NOWHERE}\n" * 100)
    expect(seen.page.locator("#answer tbody tr")).to_have_count(100)


def test_certificates_that_came_with_a_report_are_not_verified_here(
    seen: Watched, served: Service, digest: str
) -> None:
    table = certificate_table({VCEK: chain().leaf.der})
    paste_file(seen, served, report_bytes(measurement=bytes.fromhex(digest)) + table)
    expect(seen.page.locator("#answer")).to_contain_text("Read: attestation report followed by its certificate table")
    expect(seen.page.locator("#answer")).to_contain_text("a certificate came with it; signatures are not verified here")


def test_that_nothing_is_verified_stands_before_what_the_report_says(
    seen: Watched, served: Service, digest: str
) -> None:
    paste_file(seen, served, report_bytes(measurement=bytes.fromhex(digest), policy=0xB0000))
    heading, shown, warning, danger, *_ = seen.page.locator("#answer > *").all()
    assert "listed with this launch digest" in heading.inner_text()
    assert shown.inner_text() == digest
    assert warning.inner_text().startswith("warning: its signature is not verified here:\nldcat lookup report.bin ")
    assert danger.inner_text().startswith("DANGER: the guest policy allows debugging")
    text = seen.page.locator("#answer").inner_text()
    assert text.count("the guest policy allows debugging") == 1
    order = [text.index(part) for part in ("A match says what", "Read: attestation report", "match 1 of")]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2},
        {"cpuid": (0x19, 0x11, 1), "policy": 0x1FF0000, "key_info": 1 << 2},
        {"version": 5, "cpuid": (0x1A, 2, 1), "tcb": bytes([1, 9, 0, 4, 0, 0, 0, 213]), "vmpl": 0xFFFFFFFF},
        {"cpuid": (0x1A, 0x51, 0), "tcb": bytes([2, 3, 4, 0, 0, 0, 0, 0]), "key_info": 7 << 2},
        {"cpuid": (0x1B, 2, 1), "key_info": 5 << 2},
    ],
)
def test_a_report_has_the_facts_of_the_command_line(
    seen: Watched, served: Service, run: Run, tmp_path: Path, fields: dict[str, Any]
) -> None:
    """And the chip id, which the browser keeps."""
    path = tmp_path / "report.bin"
    path.write_bytes(report_bytes(measurement=bytes.fromhex(NOWHERE), **fields))
    paste_file(seen, served, path.read_bytes())
    names = seen.page.locator("#answer > dl dt").all_inner_texts()
    shown = dict(zip(names, seen.page.locator("#answer > dl dd").all_inner_texts(), strict=True))
    assert shown.pop("chip id") == f"{bytes(range(1, 65)).hex()} (stays in this browser)"
    out = run("lookup", str(path))[1]
    expected = dict(re.findall(r"^  (\S.*?)  +(\S.*)$", out, re.MULTILINE))
    assert shown == {name: value for name, value in expected.items() if name in shown}
    assert {"product", "reported TCB", "policy", "VMPL", "SNP firmware", "signed by"} <= shown.keys() <= expected.keys()


def test_a_report_shows_the_tcb_versions_that_differ(seen: Watched, served: Service) -> None:
    raw = bytearray(report_bytes(measurement=bytes.fromhex(NOWHERE), chip=bytes(64)))
    raw[0x1F0] += 1  # of the TCB at launch
    paste_file(seen, served, bytes(raw))
    names = seen.page.locator("#answer > dl dt").all_inner_texts()
    assert "launch TCB" in names
    assert "committed TCB" not in names
    expect(seen.page.locator("#answer > dl dd").last).to_have_text("hidden by the host")


def test_a_digest_in_a_text_is_only_stated(seen: Watched, served: Service, digest: str) -> None:
    seen.page.goto(f"{served.url}/")
    paste(seen, f"Measurement:\n{digest[:48]}\n{digest[48:]}\n")
    answer = seen.page.locator("#answer")
    expect(answer.locator("h2")).to_contain_text("listed with this launch digest")
    expect(answer).to_contain_text("Read: launch digest in the text of an attestation report")
    expect(answer).to_contain_text("nothing in the input proves it")


def paste_file(seen: Watched, served: Service, data: bytes) -> None:
    seen.page.goto(f"{served.url}/")
    seen.page.set_input_files("#file", {"name": "report.bin", "mimeType": "application/octet-stream", "buffer": data})
    expect(seen.page.locator("#answer h2")).to_be_focused()
