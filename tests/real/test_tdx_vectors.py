"""MRTDs on which two tools named tdx-measure, gce-tcb-verifier and this project agree, in both page orders."""

from __future__ import annotations

import json
import lzma
from typing import Any

import pytest

from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.tdx_facts import MACHINES, SINGLE_PASS, TWO_PASS, TdxFacts
from catalog.imports.import_record import parse_import
from catalog.launch.point import VmmPoint
from catalog.launch.technology import measure, technology_named
from catalog.spec import embedded
from tests.real.shared import SHARED

VECTORS: list[dict[str, Any]] = json.loads((SHARED / "vectors" / "tdx.json").read_text())["vectors"]
ZEROS_BEFORE = "prefix_zero_bytes"


def image(name: str) -> bytes:
    return lzma.decompress((SHARED / "firmware" / f"{name}.xz").read_bytes())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one["image"])
def test_digests_and_sections(vector: dict[str, Any]) -> None:
    data = image(vector["image"])
    found = TdxFacts.of(OvmfImage.parse(data))
    sections = [(one.name, one.data_offset, one.raw_size, one.gpa, one.size, one.attributes) for one in found.sections]
    assert sections == [tuple(one.values()) for one in vector["sections"]]
    assert {found.mrtd[SINGLE_PASS].hex()} == set(vector["mrtd_single_pass"].values())
    assert {found.mrtd[TWO_PASS].hex()} == set(vector["mrtd_two_pass"].values())
    combined = TdxFacts.of(OvmfImage.parse(bytes(vector[ZEROS_BEFORE]) + data))
    assert {machine: combined.mrtd[machine].hex() for machine in MACHINES} == vector["gce_tdhob_bug"]
    assert {way: combined.mrtd[way] for way in found.mrtd} == found.mrtd


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one["image"])
def test_the_digest_of_a_launch_from_image_and_record(vector: dict[str, Any]) -> None:
    component = FirmwareComponent.from_image(OvmfImage.parse(image(vector["image"])))
    record = FirmwareBuild.parse(FirmwareBuild("x", component, None, {}).to_toml()).image
    for profile, values in (("qemu-tdx", "mrtd_single_pass"), ("qemu-tdx-two-pass", "mrtd_two_pass")):
        point = VmmPoint(None, embedded.profile_named(profile))
        for one in (component, record):
            assert {measure(technology_named("tdx"), one, point).hex()} == set(vector[values].values())
    for machine, digest in vector["gce_tdhob_bug"].items():
        if not vector[ZEROS_BEFORE]:
            point = VmmPoint(None, embedded.profile_named(f"gce-tdx-hob-{machine}"))
            assert measure(technology_named("tdx"), record, point).hex() == digest


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one["image"])
def test_the_embedded_record_has_the_facts_of_the_image(vector: dict[str, Any]) -> None:
    component = FirmwareComponent.from_image(OvmfImage.parse(image(vector["image"])))
    (known,) = {one.image for one in embedded.builds().values() if one.component.sha256 == component.sha256}
    assert known.tdx == component.tdx


def test_images_without_tdvf_metadata_say_so() -> None:
    for name in ("bullseye_ovmf_OVMF.fd", "bullseye_ovmf_OVMF_CODE_4M.fd", "bookworm_ovmf_OVMF_CODE_4M.fd"):
        assert TdxFacts.of(OvmfImage.parse(image(name))).fault == "the image has no TDVF metadata"


def test_public_mrtds_are_in_the_default_catalog_or_their_firmware_is_missing() -> None:
    """Two are reported, with their source; of the third only the first digits are public, and no build has them."""
    values = json.loads((SHARED / "vectors/igvm/runtime_mrtd_public.json").read_text())["values"]
    reported = {
        one.digest.hex()
        for path in embedded.fleets().values()
        for one in parse_import(path.read_text(encoding="utf-8")).endorsed
        if one.technology == "tdx"
    }
    assert reported == {one["mrtd"] for one in values if "mrtd" in one}
    facts = [one.image.tdx for one in embedded.builds().values()]
    known = {digest.hex() for one in facts if one for digest in one.mrtd.values()}
    assert not any(digest.startswith(one["mrtd_prefix"]) for one in values if "mrtd_prefix" in one for digest in known)
    assert not reported & known
