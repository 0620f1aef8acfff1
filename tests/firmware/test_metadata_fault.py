"""Metadata that can be read but not launched under SNP: SEV and SEV-ES are measured, SNP is refused."""

from __future__ import annotations

import re

import pytest

from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area, Section, metadata_fault
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.technology import measure, technologies
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, PAGE, build_ovmf
from tests.support.profiles import a_point

MEMORY = Section(0x800000, 0x9000, 1)
HASHES = Section(0x810000, 0x1000, 0x10)

FAULTS: list[tuple[str, tuple[Section, ...], Area | None, str]] = [
    ("no sections", (), None, "the image has no SEV metadata"),
    ("unknown type", (MEMORY, Section(0x80D000, 0x1000, 5)), None, "type 0x5@0x80d000+0x1000 is of an unknown type"),
    ("zero size", (MEMORY, Section(0, 0, 4)), None, "SVSM_CAA@0x0+0x0 has no size"),
    ("unaligned address", (Section(0x800010, 0x1000, 1),), None, "SNP_SEC_MEM@0x800010+0x1000 is not page aligned"),
    ("unaligned size", (Section(0x800000, 0x1010, 1),), None, "SNP_SEC_MEM@0x800000+0x1010 is not page aligned"),
    ("in the firmware", (Section(0xFFFF8000, 0x8000, 1),), None, "reaches into the firmware"),
    ("beyond 4 GiB", (Section(0xFFFFF000, 0xFFFFF000, 1),), None, "reaches into the firmware"),
    ("CPUID of two pages", (Section(0x80E000, 0x2000, 3),), None, "CPUID@0x80e000+0x2000 is not one page"),
    ("hashes of two pages", (Section(0x810000, 0x2000, 0x10),), None, "is not one page"),
    (
        "overlap",
        (Section(0x80A000, 0x3000, 1), MEMORY, Section(0x808000, 0x1000, 2)),
        None,
        "SNP_SEC_MEM@0x800000+0x9000 and SNP_SECRETS@0x808000+0x1000 overlap",
    ),
    ("the same twice", (MEMORY, MEMORY), None, "overlap"),
    (
        "two hashes sections",
        (HASHES, Section(0x811000, 0x1000, 0x10)),
        AMDSEV_AREA,
        "more than one kernel hashes section",
    ),
    ("area before its page", (HASHES,), Area(0x80FC00, 0x400), "area at 0x80fc00 lies outside its page"),
    ("area over the end of its page", (HASHES,), Area(0x810C10, 0x400), "area at 0x810c10 lies outside its page"),
]


@pytest.mark.parametrize(
    ("sections", "area", "reason"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_a_fault_refuses_only_snp(sections: tuple[Section, ...], area: Area | None, reason: str) -> None:
    image = OvmfImage.parse(build_ovmf(pages=4, hashes_area=area, sections=sections))
    assert image.sections == sections
    firmware = FirmwareComponent.from_image(image)
    assert reason in str(firmware.metadata_fault)
    for name in ("sev", "sev-es"):
        technology = technologies()[name]
        assert technology.firmware_blocker(firmware) is None
        assert len(measure(technology, firmware, a_point(technology)).value) == 32
    snp = technologies()["sev-snp"]
    assert snp.firmware_blocker(firmware) == firmware.metadata_fault
    with pytest.raises(CannotLaunch, match=re.escape(reason)):
        measure(snp, firmware, a_point(snp))


@pytest.mark.parametrize("area", [AMDSEV_AREA, None, Area(0x810000, PAGE), Area(0x810FFF, 1)])
def test_published_layouts_have_no_fault(area: Area | None) -> None:
    assert metadata_fault(AMDSEV_SECTIONS, image_gpa=0xFFC00000, hashes_area=area) is None


def test_a_section_may_end_where_the_firmware_begins() -> None:
    touching = (Section(0xFFBFF000, 0x1000, 1),)
    assert metadata_fault(touching, image_gpa=0xFFC00000, hashes_area=None) is None


def test_secrets_of_several_pages_are_no_fault() -> None:
    secrets = (Section(0x80D000, 0x3000, 2),)
    assert metadata_fault(secrets, image_gpa=0xFFC00000, hashes_area=None) is None


def test_an_area_without_a_hashes_section_is_no_fault() -> None:
    assert metadata_fault((MEMORY,), image_gpa=0xFFC00000, hashes_area=Area(0x80FC00, 0x400)) is None
