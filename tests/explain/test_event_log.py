"""Event logs of TDs, compared event by event with firmware and the files of a direct boot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.abi.tdx.event_log import EventLog, parse_event_log
from catalog.abi.tdx.rtmr import replay
from catalog.errors import Unreadable, UsageError
from catalog.evidence.evidence import Evidence
from catalog.explain import log_inputs
from catalog.explain.log_explanation import LogExplanation, explain_log
from catalog.explain.log_inputs import KnownFirmware, LogInputs, collect_inputs, quoted_rtmrs
from catalog.explain.log_kinds import FILE, FIXED, KERNEL, OTHER, kind_of, must_be_given
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.authenticode import authenticode_sha384
from catalog.firmware.tdx.direct_boot import command_line_sha384, patched_kernel
from catalog.firmware.tdx.rtmr_facts import RtmrFacts
from catalog.firmware.tdx.tdx_facts import SINGLE_PASS, TdxFacts
from tests.support.event_logs import (
    APPLICATION,
    BLOB2,
    DRIVER_CONFIG,
    EFI_ACTION,
    FLAGS,
    GLOBAL,
    IPL,
    SEPARATOR,
    TAG,
    Event,
    blob,
    booted,
    event_log,
    loaded_image,
    sha384,
    tagged,
    variable,
)
from tests.support.pe_images import kernel_image
from tests.support.tdvf_builder import CFV_SIZE
from tests.support.variable_stores import td_image, variable_store

IMAGE = td_image()
CFV = sha384(variable_store())
LINE = "console=hvc0"


def log_of(events: Sequence[Event]) -> EventLog:
    return parse_event_log(event_log(events))


def facts_of(image: bytes) -> RtmrFacts:
    return RtmrFacts.of(OvmfImage.parse(image))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {"firmware": tmp_path / "OVMF.fd", "kernel": tmp_path / "vmlinuz", "initrd": tmp_path / "initrd.img"}
    for name, data in (("firmware", IMAGE), ("kernel", kernel_image()), ("initrd", b"initrd" * 99)):
        found[name].write_bytes(data)
    return found


@pytest.fixture
def inputs(files: dict[str, Path]) -> LogInputs:
    return collect_inputs(
        {},
        firmware=[str(files["firmware"])],
        kernels=[files["kernel"]],
        initrds=[files["initrd"]],
        appends=[LINE],
    )


def launched(*, patched: bool = False) -> list[Event]:
    """What a TD logs that boots the files."""
    kernel = patched_kernel(kernel_image(), 6 * 99) if patched else kernel_image()
    assert kernel is not None
    return booted(
        cfv=CFV,
        kernel=authenticode_sha384(kernel),
        command_line=command_line_sha384(LINE, has_initrd=True),
        initrd=sha384(b"initrd" * 99),
    )


def verdicts(explanation: LogExplanation) -> dict[int, str]:
    return {one.number: one.verdict for one in explanation.events}


@pytest.mark.parametrize("patched", [False, True])
def test_everything_that_was_given_is_found(inputs: LogInputs, files: dict[str, Path], *, patched: bool) -> None:
    explanation = explain_log(log_of(launched(patched=patched)), inputs)
    assert explanation.is_explained
    found = {one.number: list(one.matches) for one in explanation.events if one.matches}
    how = f", as QEMU patches it with {files['initrd']}" if patched else ""
    assert found == {
        **{number: [str(files["firmware"])] for number in range(1, 7)},
        9: [f"{files['kernel']}{how}"],
        12: [f"{LINE!r} with an initrd"],
        13: [str(files["initrd"])],
    }
    not_covered = [number for number, verdict in verdicts(explanation).items() if verdict == "not covered"]
    assert not_covered == [0, 8, 10]
    codes = [note.code for note in explanation.notes()]
    assert codes == ["event-log-not-proven", "event-log-of-any-firmware", "rtmr-not-predicted"]


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({"cfv": sha384(b"another")}, [1]),
        ({"variables": {"PK": b"keys"}}, [3]),
        ({"kernel": sha384(b"another")}, [9]),
        ({"command_line": command_line_sha384(LINE + " ", has_initrd=True)}, [12]),
        ({"initrd": sha384(b"another")}, [13]),
    ],
)
def test_what_differs_is_named(inputs: LogInputs, changes: dict[str, Any], numbers: list[int]) -> None:
    right: dict[str, Any] = {
        "cfv": CFV,
        "kernel": authenticode_sha384(kernel_image()),
        "command_line": command_line_sha384(LINE, has_initrd=True),
        "initrd": sha384(b"initrd" * 99),
    }
    explanation = explain_log(log_of(booted(**right | changes)), inputs)
    assert not explanation.is_explained
    assert [number for number, verdict in verdicts(explanation).items() if verdict == "differs"] == numbers
    (firmware,) = explanation.firmware
    assert firmware.is_it is (numbers[0] > 6)


def test_nothing_is_compared_with_nothing() -> None:
    explanation = explain_log(log_of(launched()), LogInputs((), {}))
    assert not explanation.is_explained
    assert {verdicts(explanation)[number] for number in (1, 2, 9, 12, 13)} == {"not compared"}
    assert verdicts(explanation)[11] == "known"


def test_the_registers_of_a_quote_prove_the_log(inputs: LogInputs) -> None:
    log = log_of(launched())
    rtmrs = replay(log)
    explanation = explain_log(log, inputs, rtmrs=rtmrs, verified=True)
    assert explanation.is_explained
    assert explanation.notes()[-1].code == "event-log-matches"
    codes = [note.code for note in explain_log(log, inputs, rtmrs=rtmrs).notes()]
    assert "event-log-not-proven" in codes
    assert "event-log-matches" not in codes
    assert [one["matches"] for one in explanation.to_dict()["registers"]] == [True] * 4
    wrong = explain_log(log, inputs, rtmrs=(*rtmrs[:3], b"\1" * 48))
    assert not wrong.is_explained
    assert (wrong.notes()[0].code, "RTMR3" in wrong.notes()[0].text) == ("event-log-differs", True)
    assert [one["matches"] for one in wrong.to_dict()["registers"]] == [True, True, True, False]


def test_what_was_given_has_to_be_measured_whatever_the_log_calls_it(inputs: LogInputs) -> None:
    events = [
        Event(one.register, 0x0F, one.data, one.digest) if one.type in (APPLICATION, TAG) else one for one in launched()
    ]
    hidden = explain_log(log_of(events), inputs)
    assert hidden.is_explained  # what was given is there, by its digests
    assert "event-not-covered" in {note.code for note in hidden.notes()}
    assert "event-not-covered" not in {note.code for note in explain_log(log_of(launched()), inputs).notes()}
    evil = [Event(one.register, one.type, one.data, sha384(b"evil")) if one.type == 0x0F else one for one in events]
    found = explain_log(log_of(evil), inputs)
    assert not found.is_explained
    assert found.to_dict()["missing"] == ["kernel", "initrd", "command line"]


def test_an_image_that_was_given_has_to_be_the_launched_one(inputs: LogInputs) -> None:
    (right,) = inputs.firmware
    assert right.rtmr is not None
    wrong = KnownFirmware("wrong", RtmrFacts({**right.rtmr.digests, "cfv": bytes(48)}), {})
    both = replace(inputs, firmware=(wrong, right), given=0)
    assert explain_log(log_of(launched()), both).is_explained  # one of the records is it
    found = explain_log(log_of(launched()), replace(both, given=1))
    assert (found.is_explained, found.missing) == (False, ["firmware"])


def test_one_image_has_the_events_and_the_mrtd(inputs: LogInputs) -> None:
    (firmware,) = inputs.firmware
    other = KnownFirmware("other", None, {"single-pass": b"\1" * 48})
    mixed = replace(inputs, firmware=(firmware, other))
    assert explain_log(log_of(launched()), mixed).is_explained
    found = explain_log(log_of(launched()), mixed, mrtd=b"\1" * 48)
    assert [one.mrtd for one in found.firmware if one.firmware is other] == [True]
    assert not found.is_explained


def test_data_that_were_not_measured_are_a_danger(inputs: LogInputs) -> None:
    events = launched()
    events[3] = Event(1, DRIVER_CONFIG, variable(GLOBAL, "PK", b"false"), sha384(events[3].data))
    (note, *_) = explain_log(log_of(events), inputs).notes()
    assert (note.code, note.text) == (
        "event-data-differ",
        "what the log says is not what was measured, for events 3",
    )


def test_an_image_must_have_all_its_events_and_the_mrtd(inputs: LogInputs) -> None:
    mrtd = TdxFacts.of(OvmfImage.parse(IMAGE)).mrtd[SINGLE_PASS]
    log = log_of(launched())
    found = explain_log(log, inputs, mrtd=mrtd)
    assert found.firmware[0].mrtd is True
    assert "event-log-of-any-firmware" not in {note.code for note in found.notes()}
    other = explain_log(log, inputs, mrtd=bytes(48))
    assert (other.firmware[0].mrtd, other.firmware[0].is_it, other.is_explained) == (False, False, False)
    twice = launched()
    assert not explain_log(log_of([*twice, twice[1]]), inputs, mrtd=mrtd).is_explained
    code = KnownFirmware("CODE.fd", facts_of(IMAGE[CFV_SIZE:]), {SINGLE_PASS: mrtd})
    none = KnownFirmware("none", None, {})
    explanation = explain_log(log, LogInputs((none, code, *inputs.firmware), inputs.files), mrtd=mrtd)
    assert [(one.firmware.name, one.is_it) for one in explanation.firmware][1:] == [
        (inputs.firmware[0].name, True),
        ("none", False),
    ]
    assert explanation.to_dict()["firmware"][2]["why_unknown"] == "its record has no events of RTMR0"


@pytest.mark.parametrize(
    ("event", "kind", "given"),
    [
        (Event(1, DRIVER_CONFIG, b"broken"), OTHER, False),
        (Event(1, DRIVER_CONFIG, variable(GLOBAL, "dbt")), OTHER, False),
        (Event(2, DRIVER_CONFIG, variable(GLOBAL, "PK")), OTHER, False),
        (Event(2, BLOB2, blob(b"td_payload\0")), OTHER, False),
        (Event(2, APPLICATION, loaded_image("\\EFI\\BOOT\\BOOTX64.EFI")), KERNEL, False),
        (Event(3, TAG, tagged(0x4141454C, b"coco.com pull")), OTHER, False),
        (Event(3, TAG, b"short"), OTHER, False),
        (Event(3, IPL, b"grub_linuxefi Initrd\0"), FILE, False),
        (Event(2, FLAGS, b"kernel\0"), FILE, False),
        (Event(1, FLAGS, b"ACPI DATA"), OTHER, False),
        (Event(1, SEPARATOR, bytes(4)), FIXED, False),
        (Event(1, SEPARATOR, b"\1\0\0\0"), OTHER, False),
        (Event(2, EFI_ACTION, b"Exit Boot Services Invocation", bytes(48)), OTHER, False),
    ],
)
def test_kinds_of_events(event: Event, kind: str, *, given: bool) -> None:
    (found,) = log_of([event]).events
    assert (kind_of(found), must_be_given(found, kind)) == (kind, given)


def test_whole_files_are_found_in_what_boot_loaders_measure(inputs: LogInputs, files: dict[str, Path]) -> None:
    events = [
        Event(3, IPL, b"/boot/vmlinuz\0", sha384(kernel_image())),
        Event(3, IPL, b"grub_linuxefi Initrd\0", sha384(b"initrd" * 99)),
        Event(3, IPL, b"grub_cmd: set timeout=0\0"),
    ]
    explanation = explain_log(log_of(events), LogInputs((), inputs.files))
    assert [list(one.matches) for one in explanation.events] == [[str(files["kernel"])], [str(files["initrd"])], []]
    assert explanation.is_explained


def test_folders_are_taken_and_bounded(files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "initrd").write_bytes(b"in a folder")
    found = collect_inputs({}, initrds=[folder], kernels=[files["kernel"]]).files
    assert list(found["initrd"].values()) == [[str(folder / "initrd")]]
    assert len(found[KERNEL]) == 3
    monkeypatch.setattr(log_inputs, "MAX_PAIRS", 1)
    with pytest.raises(UsageError, match="1 kernels and 1 initrds are more than 1 pairs"):
        collect_inputs({}, initrds=[folder], kernels=[files["kernel"]])
    with pytest.raises(Unreadable):
        collect_inputs({}, kernels=[tmp_path / "nothing"])


def test_a_kernel_that_is_no_pe_image_is_left_out(files: dict[str, Path]) -> None:
    inputs = collect_inputs({}, kernels=[files["initrd"], files["kernel"]])
    assert inputs.left_out == (f"{files['initrd']} as a kernel: this is no PE image: it has no signature 'PE'",)
    assert len(inputs.files[FILE]) == 2
    assert explain_log(log_of(launched()), inputs).to_dict()["left_out"] == list(inputs.left_out)


def test_records_with_events_are_compared_without_being_given() -> None:
    facts = facts_of(IMAGE)
    tdx = SimpleNamespace(rtmr=facts, mrtd={})
    builds = cast(
        "Any",
        {
            "with": SimpleNamespace(name="with", component=SimpleNamespace(tdx=tdx)),
            "without": SimpleNamespace(name="without", component=SimpleNamespace(tdx=None)),
        },
    )
    (known,) = collect_inputs(builds).firmware
    assert (known.name, known.rtmr, known.why_unknown) == ("with", facts, None)


def test_only_evidence_of_a_td_has_rtmrs() -> None:
    digest = Evidence("launch digest", LaunchDigest(bytes(48)))
    assert quoted_rtmrs(digest) is None
    shown = SimpleNamespace(td=SimpleNamespace(report=SimpleNamespace(rtmrs=(b"",) * 4)))
    assert quoted_rtmrs(cast("Any", shown)) == (b"",) * 4


def test_digests_are_hashes_of_the_files(inputs: LogInputs) -> None:
    assert hashlib.sha384(b"initrd" * 99).digest() in inputs.files["initrd"]
