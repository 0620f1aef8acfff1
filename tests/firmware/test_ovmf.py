"""OvmfImage: what is read from valid images, and the reason with which each broken structure is refused."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest

from catalog.errors import MalformedFirmware
from catalog.firmware.metadata import Area, Section, SectionType
from catalog.firmware.ovmf import MAX_IMAGE_SIZE, OvmfImage
from tests.support.firmware_builder import (
    AMDSEV_AREA,
    AMDSEV_SECTIONS,
    HASHES_AREA,
    METADATA,
    PAGE,
    RESET_BLOCK,
    RESET_VECTOR,
    TDX_METADATA,
    Broken,
    build_ovmf,
)


@pytest.mark.parametrize("pages", [1, 2, 16])
@pytest.mark.parametrize("seed", range(4))
def test_a_valid_image_is_read(pages: int, seed: int) -> None:
    data = build_ovmf(
        pages=pages,
        seed=seed,
        hashes_area=AMDSEV_AREA,
        sections=AMDSEV_SECTIONS,
        extra={TDX_METADATA: bytes(4)},
    )
    image = OvmfImage.parse(data)
    assert image.data == data
    assert image.gpa == (1 << 32) - pages * PAGE
    assert image.reset_vector == RESET_VECTOR
    assert image.hashes_area == AMDSEV_AREA
    assert image.sections == AMDSEV_SECTIONS
    assert set(image.table) == {RESET_BLOCK, HASHES_AREA, METADATA, TDX_METADATA}


def test_an_image_with_an_empty_table_has_nothing() -> None:
    image = OvmfImage.parse(build_ovmf(reset_vector=None))
    assert (image.reset_vector, image.hashes_area, image.sections, dict(image.table)) == (None, None, (), {})


def test_a_hashes_area_at_zero_means_that_there_is_none() -> None:
    assert OvmfImage.parse(build_ovmf(hashes_area=Area(0, 0))).hashes_area is None


def test_metadata_without_sections_is_valid() -> None:
    assert OvmfImage.parse(build_ovmf(sections=())).sections == ()


def test_an_image_of_2020_has_only_a_reset_vector() -> None:
    image = OvmfImage.parse(build_ovmf(standalone_reset_block=True, reset_vector=0x80B000))
    assert (image.reset_vector, image.hashes_area, image.sections, image.table) == (0x80B000, None, (), {})


def test_section_names_and_text() -> None:
    assert [Section(0, 0, kind).name for kind in SectionType] == [kind.name for kind in SectionType]
    assert str(Section(0x80D000, 0x1000, 2)) == "SNP_SECRETS@0x80d000+0x1000"
    assert str(Section(0x80D000, 0x1000, 7)) == "type 0x7@0x80d000+0x1000"


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE + 1, 2 * PAGE - 32])
def test_a_length_that_is_no_multiple_of_the_page_size_is_refused(size: int) -> None:
    data = build_ovmf(pages=2)
    with pytest.raises(MalformedFirmware, match=f"{size} bytes are not whole pages"):
        OvmfImage.parse(data[len(data) - size :])


def test_an_image_that_no_vmm_could_map_is_refused() -> None:
    with pytest.raises(MalformedFirmware, match="more than a firmware image"):
        OvmfImage.parse(bytes(MAX_IMAGE_SIZE + PAGE))


@pytest.mark.parametrize(
    ("guid", "data", "reason"),
    [
        (RESET_BLOCK, b"", "SEV-ES reset block holds 0 bytes, not 4"),
        (RESET_BLOCK, bytes(5), "SEV-ES reset block holds 5 bytes, not 4"),
        (HASHES_AREA, bytes(4), "SEV kernel hashes area holds 4 bytes, not 8"),
        (HASHES_AREA, bytes(12), "SEV kernel hashes area holds 12 bytes, not 8"),
        (METADATA, bytes(3), "SEV metadata pointer holds 3 bytes, not 4"),
    ],
)
def test_an_entry_of_a_wrong_length_is_refused(guid: UUID, data: bytes, reason: str) -> None:
    broken = Broken(entry_data={guid: data})
    image = build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS, broken=broken)
    with pytest.raises(MalformedFirmware, match=reason):
        OvmfImage.parse(image)


RIGHT_LENGTH = 16 + 12 * len(AMDSEV_SECTIONS)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (Broken(metadata_offset=0), "0 bytes before the end is not inside"),
        (Broken(metadata_offset=15), "15 bytes before the end is not inside"),
        (Broken(metadata_offset=2 * PAGE + 1), "8193 bytes before the end is not inside"),
        (Broken(metadata_offset=0xFFFFFFFF), "4294967295 bytes before the end is not inside"),
        (Broken(metadata_offset=2 * PAGE), "magic is not 'ASEV'"),
        (Broken(metadata_offset=16), "magic is not 'ASEV'"),
        (Broken(metadata_magic=b"VESA"), "magic is not 'ASEV'"),
        (Broken(metadata_version=0), "version 0 is not 1"),
        (Broken(metadata_version=2), "version 2 is not 1"),
        (Broken(metadata_length=0xFFFFFFFF), "truncated, 4294967295 bytes do not fit"),
        (Broken(metadata_length=2 * PAGE), "truncated, 8192 bytes do not fit"),
        (Broken(metadata_length=0), "7 sections do not make 0 bytes"),
        (Broken(metadata_length=RIGHT_LENGTH - 1), f"7 sections do not make {RIGHT_LENGTH - 1} bytes"),
        (Broken(metadata_count=8), f"8 sections do not make {RIGHT_LENGTH} bytes"),
        (Broken(metadata_count=0), f"0 sections do not make {RIGHT_LENGTH} bytes"),
        # 12 * count overflows 32 bits to the right length: C code would accept it
        (Broken(metadata_count=7 + (1 << 30)), f"{7 + (1 << 30)} sections do not make"),
        (Broken(metadata_count=0xFFFFFFFF), "4294967295 sections do not make"),
    ],
)
def test_broken_metadata_is_refused(broken: Broken, reason: str) -> None:
    with pytest.raises(MalformedFirmware, match=reason):
        OvmfImage.parse(build_ovmf(sections=AMDSEV_SECTIONS, broken=broken))


def test_truncated_metadata_is_refused() -> None:
    image = bytearray(build_ovmf(sections=()))
    image[-20:-4] = struct.pack("<4sIII", b"ASEV", 16 + 12, 1, 1)
    where = bytes(image).index(METADATA.bytes_le) - 6
    image[where : where + 4] = struct.pack("<I", 20)
    with pytest.raises(MalformedFirmware, match="truncated, 28 bytes do not fit"):
        OvmfImage.parse(bytes(image))
