"""Attestation reports in JSON, as the virtee crates of each version write them, converted back to their bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.abi.report import AttestationReport
from catalog.abi.report_json import is_report_json, parse_report_json
from catalog.errors import MalformedInput
from tests.support.attestation_builder import TCB, report_bytes, signed
from tests.support.report_json import as_json

TURIN_TCB = bytes([1, 2, 3, 4, 0, 0, 0, 5])


@pytest.mark.parametrize("hexadecimal", [True, False])
@pytest.mark.parametrize(
    ("version", "old", "changes"),
    [(2, True, {}), (2, False, {}), (3, False, {}), (5, False, {"cpuid": (0x1A, 2, 1), "tcb": TURIN_TCB})],
)
def test_json_of_the_virtee_crates_gives_the_report(
    version: int, old: bool, changes: dict[str, Any], hexadecimal: bool
) -> None:
    raw = signed(report_bytes(version=version, **changes))
    fields = json.loads(json.dumps(as_json(raw, hexadecimal=hexadecimal, old=old)))
    assert is_report_json(fields)
    assert parse_report_json(fields).raw == raw
    assert not is_report_json({"launch_digest": "00"})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("version", None, "field version of the report is not an unsigned number"),
        ("guest_svn", -1, "field guest_svn of the report is not an unsigned number"),
        ("guest_svn", True, "field guest_svn of the report is not an unsigned number"),
        ("cpuid_step", 256, "field cpuid_step of the report is not an unsigned number of 8 bits"),
        ("measurement", "00", "field measurement of the report is not 48 bytes"),
        ("measurement", [1] * 47 + [256], "field measurement of the report is not 48 bytes"),
        ("measurement", ["a"] * 48, "field measurement of the report is not 48 bytes"),
        ("chip_id", {}, "field chip_id of the report is not 64 bytes"),
        ("measurement", [True] * 48, "field measurement of the report is not 48 bytes"),
        ("current_tcb", 7, "field current_tcb of the report must have: snp, tee"),
        ("current_tcb", {**TCB, "snp": None}, "field current_tcb of the report must have: snp, tee"),
        ("current_tcb", {"snp": 1, "tee": 2, "microcode": 3}, "no TCB version has exactly these components"),
        ("current_tcb", {**TCB, "fmc": 300}, "current_tcb.fmc"),
        ("current_tcb", {**TCB, "_reserved": [1]}, "field current_tcb._reserved of the report is not 4 bytes"),
        ("current_tcb", {**TCB, "_reserved": 1}, "field current_tcb._reserved of the report is not 4 bytes"),
        ("current_tcb", {**TCB, "fmc": 1, "_reserved": [0] * 4}, "both fmc and reserved bytes"),
        ("current", {"major": 1}, "field current of the report must have: build, major, minor"),
        ("signature", {"r": "00"}, "field signature of the report must have: r, s"),
    ],
)
def test_json_that_is_not_a_report_is_refused(name: str, value: object, message: str) -> None:
    fields = as_json(signed(report_bytes()), hexadecimal=True, old=False)
    with pytest.raises(MalformedInput, match=message):
        parse_report_json({**fields, name: value})


def test_integers_may_be_written_as_floats_in_json() -> None:
    """Some encoders write 3.0 for 3; none writes 3.5."""
    raw = report_bytes()
    fields = as_json(raw, hexadecimal=True, old=False)
    floats = {name: float(value) if type(value) is int else value for name, value in fields.items()}
    assert parse_report_json(floats).raw == raw
    with pytest.raises(MalformedInput, match="field vmpl of the report is not an unsigned number of 32 bits"):
        parse_report_json({**fields, "vmpl": 0.5})


def test_json_without_a_field_is_refused() -> None:
    fields = as_json(signed(report_bytes()), hexadecimal=True, old=False)
    for name in ("chip_id", "launch_tcb"):
        with pytest.raises(MalformedInput, match=f"has no {name}"):
            parse_report_json({key: value for key, value in fields.items() if key != name})


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 0),
        ({"reported_etcb": None}, 0),
        ({"reported_etcb": [1]}, 1),
        ({"current_tcb": {**TCB, "fmc": None, "arg": 1}, "current": {"major": 1, "minor": 55, "build": 8, "x": 2}}, 2),
    ],
)
def test_unknown_fields_are_left_out_with_a_note(changes: dict[str, Any], count: int) -> None:
    raw = signed(report_bytes())
    report = parse_report_json({**as_json(raw, hexadecimal=True, old=False), **changes})
    assert report.raw == raw
    what = {0: None, 1: "1 field of the report is", 2: "2 fields of the report are"}[count]
    left_out = "not known to this version and left out, so the signature may not verify"
    assert [(note.code, note.text) for note in report.unknown] == (
        [("report-field-unknown", f"{what} {left_out}")] if what else []
    )


def test_an_unknown_field_of_the_signature_is_left_out() -> None:
    raw = signed(report_bytes())
    fields = as_json(raw, hexadecimal=True, old=False)
    fields["signature"] |= {"algo": "ECDSA"}
    assert (parse_report_json(fields).raw, len(parse_report_json(fields).unknown)) == (raw, 1)


def test_old_crates_keep_the_components_of_turin_as_reserved_bytes() -> None:
    raw = signed(report_bytes(version=3, cpuid=(0x1A, 2, 1), tcb=TURIN_TCB))
    fields = as_json(raw, hexadecimal=False, old=True)
    kept = {"bootloader": 1, "tee": 2, "_reserved": [3, 4, 0, 0], "snp": 0, "microcode": 5}
    tcbs = dict.fromkeys(("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"), kept)
    report = parse_report_json({**fields, **tcbs})
    assert report.raw == raw
    assert report.unknown == ()


def test_the_first_crate_names_parts_of_a_tcb_otherwise() -> None:
    raw = signed(report_bytes(version=2))
    fields = as_json(raw, hexadecimal=False, old=True)
    for name in ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"):
        parts = fields[name]
        fields[name] = {"boot_loader": parts.pop("bootloader"), "reserved": parts.pop("_reserved"), **parts}
    assert parse_report_json(fields).raw == raw
    assert parse_report_json(fields).unknown == ()


@pytest.mark.parametrize(
    "parts",
    [
        {"fmc": 1, "bootloader": 2, "tee": 3, "snp": 0, "microcode": 0},  # crates before version 8 know Turin's only
        {"fmc": 1, "bootloader": None, "tee": 2, "snp": 3, "microcode": None},
    ],
)
def test_a_report_of_venice(parts: dict[str, int | None]) -> None:
    raw = signed(report_bytes(version=5, cpuid=(0x1A, 0x50, 0), tcb=bytes([1, 2, 3, 0, 0, 0, 0, 0])))
    fields = as_json(raw, hexadecimal=True, old=False)
    tcbs = dict.fromkeys(("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"), parts)
    assert parse_report_json({**fields, **tcbs}).raw == raw


def test_a_milan_report_of_version_4_is_not_rewritten() -> None:
    """Version 6.1.0 of the crate writes its bytes with TCB versions as of Turin, but its JSON has the right ones."""
    raw = signed(report_bytes(version=4))
    report = parse_report_json(as_json(raw, hexadecimal=False, old=False))
    assert report == AttestationReport.parse(raw)
    assert report.unknown == ()
