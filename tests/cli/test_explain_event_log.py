"""`ldcat explain --event-log`: text and JSON, exit codes, and what does not go together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.tdx_facts import SINGLE_PASS, TdxFacts
from tests.support.attestation_builder import report_bytes
from tests.support.cli import NOWHERE, Run
from tests.support.event_logs import booted, event_log, sha384
from tests.support.tdvf_builder import CFV_SIZE
from tests.support.variable_stores import td_image, variable_store

IMAGE = td_image()
LOG = event_log(booted(cfv=sha384(variable_store())))


@pytest.fixture
def log(tmp_path: Path) -> str:
    (tmp_path / "CCEL").write_bytes(LOG)
    return str(tmp_path / "CCEL")


@pytest.fixture
def firmware(tmp_path: Path) -> str:
    (tmp_path / "OVMF.fd").write_bytes(IMAGE)
    return str(tmp_path / "OVMF.fd")


def test_events_of_an_image_are_known(run: Run, log: str, firmware: str) -> None:
    code, out, _ = run("explain", "--event-log", log, "--firmware", firmware)
    assert code == 0
    assert out.startswith("explained: every event that was compared is known\nregisters of the log\n  RTMR0  ")
    assert f"firmware: {firmware}\n  its MRTD is not compared\n" in out
    assert "  of its events of RTMR0, 6 are in the log, and none is missing\n" in out
    known = "    1  RTMR0  known         EV_EFI_PLATFORM_FIRMWARE_BLOB2: "
    assert re.search(f"{known}.*\n       = {re.escape(firmware)}\n", out)
    assert "    9  RTMR1  not compared  EV_EFI_BOOT_SERVICES_APPLICATION: kernel\n" in out
    assert "warning: nothing vouches for the log: no quote or TD report was given with it\n" in out


def test_an_mrtd_is_compared_with_that_of_the_image(run: Run, log: str, firmware: str) -> None:
    mrtd = TdxFacts.of(OvmfImage.parse(IMAGE)).mrtd[SINGLE_PASS].hex()
    code, out, _ = run("explain", mrtd, "--event-log", log, "--firmware", firmware)
    assert (code, "  its MRTD is that of the evidence\n" in out) == (0, True)
    code, out, _ = run("explain", NOWHERE, "--event-log", log, "--firmware", firmware)
    assert (code, f"firmware: not {firmware}, which has another MRTD\n" in out) == (1, True)
    document = json.loads(run("explain", mrtd, "--event-log", log, "--firmware", firmware, "-f", "json")[1])
    assert (document["launch_digest"], document["event_log"]["explained"]) == (mrtd, True)
    assert document["event_log"]["firmware"][0]["mrtd_matches"] is True


def test_what_differs_is_printed(run: Run, firmware: str, tmp_path: Path) -> None:
    log = tmp_path / "CCEL"
    log.write_bytes(event_log(booted(cfv=sha384(b"other"), variables={"PK": b"\x1b[31mkeys"})))
    code, out, _ = run("explain", "--event-log", str(log), "--firmware", firmware)
    assert (code, out.startswith("not explained\n")) == (1, True)
    assert f"firmware: not {firmware}, which has another variable store (CFV), variable PK\n" in out
    assert f"       * nothing that was given or recorded has {sha384(b'other').hex()}\n" in out


def test_an_image_that_tells_nothing_says_why(run: Run, log: str, tmp_path: Path) -> None:
    code_file = tmp_path / "CODE.fd"
    code_file.write_bytes(IMAGE[CFV_SIZE:])
    code, out, _ = run("explain", "--event-log", log, "--firmware", str(code_file))
    assert code == 1
    assert f"firmware: {code_file} cannot be compared: the variable store is in another file" in out
    mrtd = TdxFacts.of(OvmfImage.parse(IMAGE)).mrtd[SINGLE_PASS].hex()
    out = run("explain", mrtd, "--event-log", log, "--firmware", str(code_file))[1]
    assert "  its MRTD is that of the evidence\n" in out
    assert "  not all of its events are known: the variable store is in another file" in out


def test_more_names_than_fit_are_counted(run: Run, log: str, tmp_path: Path) -> None:
    options = []
    for number in range(6):
        (tmp_path / f"{number}.fd").write_bytes(IMAGE)
        options += ["--firmware", str(tmp_path / f"{number}.fd")]
    assert "3.fd and 2 more\n" in run("explain", "--event-log", log, *options)[1]


def test_data_that_were_not_measured_come_first(run: Run, tmp_path: Path) -> None:
    events = booted()
    events[7] = events[7]._replace(digest=bytes(48))
    log = tmp_path / "CCEL"
    log.write_bytes(event_log(events))
    out = run("explain", "--event-log", str(log))[1]
    assert out.startswith("DANGER: what the log says is not what was measured, for events 7\n")


def test_what_does_not_go_together_is_refused(run: Run, log: str, tmp_path: Path) -> None:
    report = tmp_path / "report.bin"
    report.write_bytes(report_bytes())
    for arguments, message in (
        ((), "there is nothing to explain"),
        (("--event-log", log, "--expect", "{}"), "with --event-log nothing is searched"),
        (("--event-log", log, "--html", str(tmp_path / "page.html")), "with --event-log nothing is searched"),
        ((str(report), "--event-log", log), "--event-log is of a TD, and this is none: attestation report"),
        (("0" * 64, "--event-log", log), "--event-log is of a TD, and this is none: launch digest"),
    ):
        code, _, err = run("explain", *arguments)
        assert (code, message in err) == (2, True), err
    code, _, err = run("explain", "--event-log", str(report))
    assert (code, "this is no event log" in err) == (3, True)
