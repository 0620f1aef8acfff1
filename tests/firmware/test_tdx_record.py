"""[component.tdx] of a firmware record: round trip, and what is refused."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest

from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.rtmr_facts import RtmrFacts
from catalog.firmware.tdx.tdx_facts import TdxFacts
from catalog.firmware.tdx.tdx_record import facts_json, parse_facts, tdx_lines
from tests.support.firmware_builder import build_ovmf
from tests.support.tdvf_builder import build_tdvf
from tests.support.variable_stores import td_image


def facts(data: bytes) -> TdxFacts:
    return TdxFacts.of(OvmfImage.parse(data))


FACTS = facts(build_tdvf())
BUILD = FirmwareBuild("x.fd", FirmwareComponent.from_image(OvmfImage.parse(build_tdvf())), None, {})
TEXT = BUILD.to_toml()


@pytest.mark.parametrize("data", [build_tdvf(), build_tdvf()[0x2000:], build_tdvf(version=2), build_ovmf()])
def test_a_record_gives_the_same_build_without_the_image(data: bytes) -> None:
    component = FirmwareComponent.from_image(OvmfImage.parse(data))
    build = FirmwareBuild("x.fd", component, None, {})
    text = build.to_toml()
    read = FirmwareBuild.parse(text)
    assert read == build
    assert read.image.tdx is not None
    assert read.image.tdx.fault == component.tdx.fault  # type: ignore[union-attr]
    assert read.to_toml() == text == "\n".join([build.with_tdx(None).to_toml(), *tdx_lines(component.tdx), ""])  # type: ignore[arg-type]
    assert "tdx" not in build.with_tdx(None).to_toml()
    assert build.with_tdx(None).with_tdx(read.image.tdx) == build
    assert parse_facts(facts_json(read.image.tdx), "x") == component.tdx


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('type = "BFV"', 'type = "BOOT"', "unknown type of a TDVF section 'BOOT'"),
        ("single-pass", "three-pass", "mrtd: unknown way 'three-pass'"),
        ('two-pass = "', 'two-pass = "0', "mrtd: two-pass: .* is not 96 lowercase hex digits"),
        ("[component.tdx]", '[component.tdx]\nfault = "no"', "has sections and mrtd, or fault alone"),
        ("raw_size = 0x2000, ", "raw_size = 0x0, ", "CFV: raw_size is 0"),
        ("size = 0x2000, attributes = 0x0", "size = 0x2001, attributes = 0x0", "size"),
        ("attributes = 0x1", "attributes = 0x5", "unknown bits in attributes 0x5"),
        (TEXT[TEXT.index("[component.tdx.mrtd]") :], "", "has sections and mrtd, or fault alone"),
        ("data_offset", "offset", "unknown field `offset`"),
        ("gpa = 0x809000", "gpa = 0x810000", "overlap"),
        ('type = "TD_HOB"', 'type = "TEMP_MEM"', "one section TD_HOB"),
    ],
)
def test_facts_that_no_image_has_are_refused(right: str, wrong: str, message: str) -> None:
    assert FirmwareBuild.parse(TEXT) == BUILD
    assert right in TEXT[TEXT.index("[component.tdx]") :]
    with pytest.raises(MalformedRecord, match=f"^firmware record.*{message}"):
        FirmwareBuild.parse(right.join(TEXT.rsplit(right, 1)[:1]) + wrong + TEXT.rsplit(right, 1)[1])


@pytest.mark.parametrize("fault", ["", "two\nlines", "x" * 201, "\u00e9", "\x1b[31m"])
def test_a_fault_is_one_line_of_ascii(fault: str) -> None:
    with pytest.raises(MalformedRecord, match="one line of 1 to 200 printable ASCII characters"):
        parse_facts(json.dumps({"fault": fault}), "x")


def test_records_of_one_image_are_joined() -> None:
    whole = FirmwareComponent.from_image(OvmfImage.parse(build_tdvf()))
    bare = replace(whole, tdx=None)
    fewer = replace(whole, tdx=TdxFacts(FACTS.sections, {"single-pass": FACTS.mrtd["single-pass"]}))
    other = replace(whole, tdx=TdxFacts(FACTS.sections, {**FACTS.mrtd, "single-pass": bytes(48)}))
    for one in (bare, fewer, whole):
        for two in (bare, fewer, whole):
            assert not one.contradictions(two)
            joined = one.joined(two)
            if whole in (one, two):
                assert joined == whole
    assert whole.contradictions(other) == ["tdx"]
    with pytest.raises(MalformedRecord, match="tdx differs"):
        fewer.joined(other)


def test_events_of_rtmr0_are_recorded_and_compared() -> None:
    known = facts(td_image())
    assert known.rtmr is not None
    assert known.rtmr.is_whole
    read = parse_facts(facts_json(known), "x")
    assert (read, read.rtmr, read.recorded) == (known, known.rtmr, known.rtmr)
    lines = "\n".join(tdx_lines(known))
    assert f'[component.tdx.rtmr]\ncfv = "{known.rtmr.digests["cfv"].hex()}"' in lines
    other = replace(read, recorded=RtmrFacts({**known.rtmr.digests, "pk": bytes(48)}))
    assert not read.agrees_with(other)
    without = replace(read, recorded=None)
    assert without.agrees_with(read)
    assert without.joined(read).rtmr == read.rtmr


def test_facts_of_an_image_are_sent_to_processes_without_it() -> None:
    known = facts(td_image())
    sent = pickle.loads(pickle.dumps(known))
    assert (sent, sent.image, sent.rtmr) == (known, None, known.rtmr)


def test_a_fault_contradicts_sections() -> None:
    whole = FirmwareComponent.from_image(OvmfImage.parse(build_tdvf()))
    assert whole.contradictions(replace(whole, tdx=facts(build_ovmf()))) == ["tdx"]
