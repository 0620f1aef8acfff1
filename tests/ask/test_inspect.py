"""Inspect: an image and its component give the same facts, and problems are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.ask.inspect import Inspection
from catalog.errors import MalformedFirmware, UnknownName
from catalog.fast.match_text import published_in
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.rtmr_facts import EVENTS
from catalog.spec import embedded
from tests.support.firmware_builder import PAGE, build_ovmf, packed_volume, variable_store
from tests.support.module_builder import VERSION, volume_with_version
from tests.support.tdvf_builder import build_tdvf


def test_a_local_image(inputs: Path) -> None:
    record = json.loads(json.dumps(Inspection.of(str(inputs / "whole.fd"), embedded.builds()).to_dict()))
    assert record["origin"] is None
    assert record["kernel_hashes"] == "supported"
    assert record["kernel_hashes_enforced"] == "yes"
    assert {entry["name"] for entry in record["guid_table"]} >= {"SEV-ES reset block", "SEV metadata pointer"}
    assert [launch["measurable"] for launch in record["launches"].values()] == ["yes"] * 3 + ["no"]
    assert {launch["launchable"] for launch in record["launches"].values()} == {"unknown"}


def test_the_version_of_an_image_is_in_its_record(tmp_path: Path) -> None:
    (tmp_path / "new.fd").write_bytes(build_ovmf(volume=packed_volume(volume_with_version())))
    image = Inspection.of(str(tmp_path / "new.fd"), embedded.builds())
    assert image.to_dict()["firmware_version"] == VERSION
    (tmp_path / "new.toml").write_text(image.build.to_toml())
    assert Inspection.of(str(tmp_path / "new.toml"), embedded.builds()).to_dict()["firmware_version"] == VERSION


def test_the_memory_map_is_ascending_and_ends_at_4_gib(inputs: Path) -> None:
    ranges = Inspection.of(str(inputs / "whole.fd"), embedded.builds()).to_dict()["memory_map"]
    assert [r["gpa"] for r in ranges] == sorted(r["gpa"] for r in ranges)
    assert (ranges[-1]["what"], ranges[-1]["gpa"] + ranges[-1]["size"]) == ("firmware", 1 << 32)
    orders = sorted(r["order"] for r in ranges if r["order"] is not None)
    assert orders == list(range(len(orders)))


def test_the_reason_why_it_cannot_launch(inputs: Path) -> None:
    launches = Inspection.of(str(inputs / "bare.fd"), embedded.builds()).launches()
    assert launches["sev-snp"]["measurable"] == "no"
    assert launches["sev-snp"]["fault"] == "the image has no SEV metadata"
    assert launches["sev"]["measurable"] == "yes"


def test_a_standalone_reset_block_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.fd").write_bytes(build_ovmf(standalone_reset_block=True))
    record = Inspection.of(str(tmp_path / "old.fd"), embedded.builds()).to_dict()
    assert record["standalone_reset_block"] is True
    assert record["guid_table"] == []


@pytest.mark.parametrize("name", list(embedded.builds()))
def test_every_catalogued_build_can_be_inspected(name: str) -> None:
    record = Inspection.of(name, embedded.builds()).to_dict()
    assert record["name"] == name
    assert record["standalone_reset_block"] is None
    if record["sha256"] is None:
        measurable = {technology: launch["measurable"] for technology, launch in record["launches"].items()}
        assert measurable == {"sev": "no", "sev-es": "no", "sev-snp": "yes", "tdx": "no"}
        return
    for technology, launch in record["launches"].items():
        assert launch["measurable"] == "yes" or launch["launchable"] == "no", technology


def test_other_files_are_refused(inputs: Path) -> None:
    with pytest.raises(MalformedFirmware):
        Inspection.of(str(inputs / "vmlinuz"), embedded.builds())
    with pytest.raises(UnknownName):
        Inspection.of("nowhere", embedded.builds())


def test_why_it_is_unknown_whether_kernel_hashes_are_enforced(inputs: Path, tmp_path: Path) -> None:
    volume = packed_volume(b"no verifier", claimed_size=80_000_000)
    (tmp_path / "large.fd").write_bytes(build_ovmf(volume=volume))
    image = Inspection.of(str(tmp_path / "large.fd"), embedded.builds())
    record = image.to_dict()
    assert record["kernel_hashes_enforced"] == "unknown"
    assert "states to unpack to 80,000,000 bytes" in record["kernel_hashes_enforced_reason"]
    (tmp_path / "large.toml").write_text(image.build.to_toml())
    of_record = Inspection.of(str(tmp_path / "large.toml"), embedded.builds()).to_dict()
    assert of_record["kernel_hashes_enforced_reason"] == "the record says so; only the image tells why"
    known = Inspection.of(str(inputs / "whole.fd"), embedded.builds()).to_dict()
    assert known["kernel_hashes_enforced_reason"] is None


def test_a_known_image_at_the_end_of_an_unknown_one(tmp_path: Path) -> None:
    code, store = build_ovmf(pages=2, seed=7), variable_store(PAGE)
    known = FirmwareBuild("code", FirmwareComponent.from_image(OvmfImage.parse(code)), None, {})
    (tmp_path / "combined.fd").write_bytes(store + code)
    record = Inspection.of(str(tmp_path / "combined.fd"), {"code": known}).to_dict()
    assert record["variable_store_size"] == PAGE
    assert record["known_tails"] == [{"size": 2 * PAGE, "builds": ["code"], "code_of": []}]
    assert record["code"] == {"size": 2 * PAGE, "sha256": known.component.key.hex()}


def test_a_known_image_is_not_compared_with_others(tmp_path: Path) -> None:
    code = build_ovmf(pages=2, seed=7)
    images = {"code": code, "combined": variable_store(PAGE) + code}
    builds = {
        name: FirmwareBuild(name, FirmwareComponent.from_image(OvmfImage.parse(image)), None, {})
        for name, image in images.items()
    }
    (tmp_path / "combined.fd").write_bytes(images["combined"])
    assert Inspection.of(str(tmp_path / "combined.fd"), builds).to_dict()["known_tails"] == []


def test_a_platforms_build_was_published_in_a_repository() -> None:
    origin = Inspection.of("aws-ec2/ovmf_img_2", embedded.builds()).to_dict()["origin"]
    text = published_in(origin)
    assert text == "virtee/sev-snp-measure-go 74f52d54c814364d04b64cc96d9b696e2697addc"
    debian = Inspection.of("sid/ovmf-amdsev/OVMF.amdsev.fd", embedded.builds()).to_dict()["origin"]
    assert published_in(debian) == "ovmf-amdsev 2026.08+ds-2 (sid)"


def test_the_memory_and_the_digests_of_a_td(tmp_path: Path, inputs: Path) -> None:
    (tmp_path / "tdvf.fd").write_bytes(build_tdvf())
    image = Inspection.of(str(tmp_path / "tdvf.fd"), embedded.builds())
    tdx = image.to_dict()["tdx"]
    assert [one["type"] for one in tdx["sections"]] == ["BFV", "CFV", "TEMP_MEM", "TD_HOB", "TEMP_MEM"]
    assert tdx["fault"] is None
    assert {"single-pass", "two-pass", "mr-extend-alone", "c3-standard-4"} < tdx["mrtd"].keys()
    none = Inspection.of(str(inputs / "whole.fd"), embedded.builds()).to_dict()["tdx"]
    why = "the image has no TDVF metadata"
    assert none.pop("rtmr") == {"why_unknown": why, "events": dict.fromkeys(EVENTS)}
    assert none == {"fault": why, "sections": [], "mrtd": {}}
    (tmp_path / "record.toml").write_text(image.build.to_toml())
    record = Inspection.of(str(tmp_path / "record.toml"), embedded.builds()).to_dict()["tdx"]
    assert record == {**tdx, "rtmr": None}  # the image has not all of these events
