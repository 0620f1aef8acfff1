"""`ldcat relate`: what people and programs read, where digests may come from, and what cannot be asked."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.attestation_builder import report_bytes
from tests.support.cli import AMDSEV, SNP, Run
from tests.support.vcpu_chains import ap_tail, extended, random_digest

BASE = random_digest(30)
AHEAD, FAR = (extended(BASE, ap_tail("gce-v1"), more) for more in (1, 8))
LOOSE = random_digest(31)
PAGE = "(AP page of gce-v1, reset address 0x80b004, sev_features 0x1)"


@pytest.fixture(autouse=True)
def _known_addresses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.relate.relate.MAX_SEARCHED", 0)


def test_chains_are_printed_with_what_they_rest_on(run: Run) -> None:
    code, out, err = run("relate", *(one.hex() for one in (FAR, LOOSE, BASE, AHEAD)))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "chain 1: one launch with n or more vCPUs, n unknown",
        "  AP page  gce-v1, reset address 0x80b004, sev_features 0x1",
        f"  n        {BASE.hex()}",
        f"  n + 1    {AHEAD.hex()}",
        f"  n + 8    {FAR.hex()}",
        f"  inferred: {AHEAD.hex()[:16]}... is {BASE.hex()[:16]}... with 1 more vCPU {PAGE}",
        f"  inferred: {FAR.hex()[:16]}... is {AHEAD.hex()[:16]}... with 7 more vCPUs {PAGE}",
        "info: a relation shows that launches have the same firmware and metadata, but not which, nor that "
        "any was ever launched: whoever knows one digest can compute those with more vCPUs",
        "1 launch digest is related to no other",
        out.splitlines()[-1],
    ]
    assert out.splitlines()[-1].startswith("tried: ")


def test_json(run: Run) -> None:
    code, out, _ = run("relate", BASE.hex(), LOOSE.hex(), FAR.hex(), "-f", "json", "--more-vcpus", "8")
    document = json.loads(out)
    assert (code, document["found"], document["unrelated"]) == (0, True, [LOOSE.hex()])
    (chain,) = document["chains"]
    assert chain["digests"] == [
        {"launch_digest": BASE.hex(), "more_vcpus": 0, "at_least_vcpus": 1},
        {"launch_digest": FAR.hex(), "more_vcpus": 8, "at_least_vcpus": 9},
    ]
    assert chain["ap_page"]["contents_sha384"] == ap_tail("gce-v1")[:48].hex()
    (origin,) = chain["ap_page"]["made_by"]
    assert (origin["vmm"], origin["reset_address"]) == ("gce-v1", "0x80b004")
    tried = document["tried"]
    assert tried["more_vcpus"] == 8
    assert {"0x80b004", "0x3009"} <= set(tried["reset_addresses"])
    assert (tried["searched"], tried["searched_more_vcpus"], tried["stopped"]) == ([], 0, False)


def test_a_page_with_a_vcpu_signature_names_its_types(run: Run) -> None:
    counts = run("measure", AMDSEV, *SNP, "--vcpus", "2,7", "-f", "json")[1]
    digests = [one["launch_digest"] for one in json.loads(counts)["launch_digests"]]
    (chain,) = json.loads(run("relate", *digests, "-f", "json")[1])["chains"]
    (origin,) = chain["ap_page"]["made_by"]
    assert (origin["vmm"], origin["vcpu_signature"]) == ("qemu-kvm-init2", "0x00800f12")
    assert "EPYC" in origin["vcpu_types"]


def test_exit_code_1_if_nothing_is_related(run: Run) -> None:
    code, out, err = run("relate", BASE.hex(), LOOSE.hex())
    assert (code, err) == (1, "")
    assert out.startswith("2 launch digests are related to no other\ntried: ")
    assert json.loads(run("relate", BASE.hex(), LOOSE.hex(), "-f", "json")[1])["chains"] == []


def test_digests_come_from_files_reports_and_stdin(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, listed, one = (tmp_path / name for name in ("report.bin", "digests", "one"))
    report.write_bytes(report_bytes(measurement=BASE))
    listed.write_text(f"\n0x{AHEAD.hex().upper()}\r\n  {LOOSE.hex()} \n\n")
    one.write_text(f"{FAR.hex()}\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(f"{FAR.hex()}\n{BASE.hex()}\n".encode())))
    expected = run("relate", *(each.hex() for each in (BASE, AHEAD, LOOSE, FAR)))
    assert run("relate", str(report), str(listed), str(one)) == expected
    assert run("relate", "-", str(listed)) == expected


def test_what_is_refused(run: Run, tmp_path: Path) -> None:
    listed = tmp_path / "digests"
    listed.write_text(f"{BASE.hex()}\n{AHEAD.hex()}\nhello\n")
    for arguments, code, message in (
        ((BASE.hex(),), 2, "fewer than two different launch digests are given"),
        ((BASE.hex(), "00" * 32), 2, "0000000000000000... is a launch digest of SEV or SEV-ES"),
        ((BASE.hex(), "abcd"), 3, "argument 2 is not a launch digest"),
        ((BASE.hex(), str(tmp_path / "none.txt")), 5, "no such file"),
        ((str(listed),), 3, "digests, line 3, is not a launch digest"),
        (("-", "-"), 2, "stdin can be read only once"),
        ((BASE.hex(), AHEAD.hex(), "--more-vcpus", "5000"), 2, "5000 more vCPUs cannot be tried"),
        ((BASE.hex(), AHEAD.hex(), "--reset-base", "0x800001"), 2, "0x800001 is not the upper half"),
        ((BASE.hex(), AHEAD.hex(), "--reset-base", "0x800000"), 2, "for up to 0 digests, not for 2"),
        ((BASE.hex(), AHEAD.hex(), "-f", "csv"), 2, "'csv' is not one of"),
    ):
        found, out, err = run("relate", *arguments)
        assert (found, out) == (code, "")
        assert message in err
        assert err.startswith("ldcat: error: ")
