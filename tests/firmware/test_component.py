"""FirmwareComponent: the facts that an image is reduced to, and which combinations are inconsistent."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from catalog.abi.page_info import INITIAL_DIGEST, PageType, fold_pages
from catalog.errors import LdcatError, MalformedRecord
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area, Section
from catalog.firmware.ovmf import MAX_IMAGE_SIZE, OvmfImage
from tests.support.firmware_builder import (
    AMDSEV_AREA,
    AMDSEV_SECTIONS,
    PAGE,
    RESET_VECTOR,
    build_ovmf,
    packed_volume,
    volume_contents,
)
from tests.support.module_builder import VERSION, volume_with_version

IMAGE = build_ovmf(
    pages=4,
    hashes_area=AMDSEV_AREA,
    sections=AMDSEV_SECTIONS,
    volume=packed_volume(volume_contents(verifier=True)),
)
FIRMWARE = FirmwareComponent.from_image(OvmfImage.parse(IMAGE))


def test_components_that_differ_in_their_version_alone_are_equal() -> None:
    image = build_ovmf(pages=4, volume=packed_volume(volume_with_version()))
    component = FirmwareComponent.from_image(OvmfImage.parse(image))
    assert component.firmware_version == VERSION
    unknown = replace(component, firmware_version=None)
    assert unknown == component
    assert hash(unknown) == hash(component)
    assert unknown.agrees_with(component)
    assert not replace(component, firmware_version="another").agrees_with(component)


def test_facts_match_the_image() -> None:
    assert FIRMWARE.sha256 == hashlib.sha256(IMAGE).digest()
    assert FIRMWARE.sha384 == hashlib.sha384(IMAGE).digest()
    assert FIRMWARE.size == len(IMAGE)
    assert FIRMWARE.gpa == (1 << 32) - len(IMAGE)
    assert FIRMWARE.reset_vector == RESET_VECTOR
    assert FIRMWARE.hashes_area == AMDSEV_AREA
    assert FIRMWARE.sections == AMDSEV_SECTIONS
    assert FIRMWARE.kernel_hashes_enforced is Enforced.YES
    assert FIRMWARE.firmware_version is None
    assert FIRMWARE.metadata_fault is None
    assert FIRMWARE.snp_baseline == fold_pages(INITIAL_DIGEST, PageType.NORMAL, FIRMWARE.gpa, IMAGE)


def test_the_midstate_extends_to_the_hash_of_longer_data() -> None:
    tail = b"what the VMM adds"
    assert FIRMWARE.sha256_state.digest() == FIRMWARE.sha256
    assert FIRMWARE.sha256_state.update(tail).digest() == hashlib.sha256(IMAGE + tail).digest()


def test_components_are_equal_only_for_equal_images() -> None:
    assert FirmwareComponent.from_image(OvmfImage.parse(IMAGE)) == FIRMWARE
    longer = FirmwareComponent.from_image(OvmfImage.parse(bytes(PAGE) + IMAGE))
    assert longer.snp_baseline != FIRMWARE.snp_baseline
    assert longer.sections == FIRMWARE.sections


def test_the_metadata_fault_follows_from_the_sections() -> None:
    faulty = replace(FIRMWARE, sections=(Section(0x800000, 0, 1),))
    assert faulty.metadata_fault == "SEV metadata section SNP_SEC_MEM@0x800000+0x0 has no size"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"size": 0}, "invalid size 0"),
        ({"size": -PAGE}, "invalid size -4096"),
        ({"size": PAGE + 1}, "invalid size 4097"),
        ({"size": MAX_IMAGE_SIZE + PAGE}, "invalid size"),
        ({"size": 5 * PAGE}, "sha256 does not follow from sha256_midstate and size"),
        ({"sha256": bytes(32)}, "sha256 does not follow"),
        ({"sha256_midstate": bytes(32)}, "sha256 does not follow"),
        ({"sha256": bytes(31)}, "a hash has the wrong length"),
        ({"sha384": bytes(47)}, "a hash has the wrong length"),
        ({"snp_baseline": bytes(32)}, "a hash has the wrong length"),
    ],
)
def test_inconsistent_facts_are_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedRecord, match=reason):
        replace(FIRMWARE, **fields)


def test_a_midstate_of_another_length_is_refused() -> None:
    with pytest.raises(LdcatError, match="not a SHA-256 state"):
        replace(FIRMWARE, sha256_midstate=bytes(31))


IN_PART = replace(FIRMWARE, sha256=None, sha384=None, size=None, sha256_midstate=None)
"""What platforms publish: the SNP state after the image, and its metadata."""


def test_a_component_that_is_known_in_part_has_the_key_of_its_snp_state() -> None:
    assert (FIRMWARE.key, IN_PART.key) == (FIRMWARE.sha256, FIRMWARE.snp_baseline)
    assert (IN_PART.gpa, IN_PART.metadata_fault) == (None, None)
    with pytest.raises(MalformedRecord, match="sha256_midstate says nothing without the size"):
        replace(FIRMWARE, size=None)
    with pytest.raises(MalformedRecord, match="sha256 does not follow"):
        replace(FIRMWARE, sha256=None)


@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        ({}, True),
        ({"sha256": FIRMWARE.sha256}, True),
        ({"kernel_hashes_enforced": Enforced.UNKNOWN}, True),
        ({"sha256": bytes(32)}, False),
        ({"sections": ()}, False),
        ({"kernel_hashes_enforced": Enforced.NO}, False),
        ({"reset_vector": 0x80B004 + 4}, False),
    ],
)
def test_a_component_agrees_with_one_that_knows_more(change: dict[str, Any], agrees: bool) -> None:
    assert replace(IN_PART, **change).agrees_with(FIRMWARE) is agrees


AREA_ALONE = Area(AMDSEV_AREA.gpa, None)


def test_an_area_without_its_size_agrees_with_the_whole_one() -> None:
    part = replace(IN_PART, hashes_area=AREA_ALONE)
    assert part.agrees_with(FIRMWARE)
    assert not FIRMWARE.agrees_with(part)
    assert not replace(part, hashes_area=Area(0x1000, AREA_ALONE.size)).agrees_with(FIRMWARE)


def test_every_fact_that_contradicts_another_component_is_named() -> None:
    assert replace(IN_PART, sections=(), reset_vector=0x1000).contradictions(FIRMWARE) == ["reset_vector", "sections"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"sha256": FIRMWARE.sha256}, {"size": FIRMWARE.size}),
        ({"hashes_area": AREA_ALONE}, {}),
        ({"kernel_hashes_enforced": Enforced.UNKNOWN}, {"sha384": FIRMWARE.sha384}),
        ({"reset_vector": None}, {"firmware_version": "another"}),
    ],
)
def test_components_of_one_image_are_joined(one: dict[str, Any], other: dict[str, Any]) -> None:
    parts = replace(IN_PART, **one), replace(IN_PART, **other)
    for first, second in (parts, parts[::-1]):
        joined = first.joined(second)
        assert joined == replace(IN_PART, **{name: value for name, value in {**one, **other}.items() if name in HASHES})
        assert joined.firmware_version == (first.firmware_version or second.firmware_version)
        assert joined.joined(FIRMWARE) == FIRMWARE.joined(joined) == FIRMWARE


HASHES = ("sha256", "sha384", "size")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reset_vector", 0x80B008),
        ("sections", ()),
        ("hashes_area", Area(AMDSEV_AREA.gpa, AMDSEV_AREA.gpa)),
        ("hashes_area", Area(0x1000, AREA_ALONE.size)),
        ("kernel_hashes_enforced", Enforced.NO),
        ("snp_baseline", bytes(48)),
    ],
)
def test_components_that_contradict_each_other_are_not_joined(name: str, value: Any) -> None:
    for first, second in ((IN_PART, replace(IN_PART, **{name: value})), (replace(IN_PART, **{name: value}), IN_PART)):
        with pytest.raises(MalformedRecord, match=f"{name} differs"):
            first.joined(second)
