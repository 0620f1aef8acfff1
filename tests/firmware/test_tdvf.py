"""TDVF metadata: its sections are read, and each broken field is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.errors import MalformedFirmware
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.tdvf import TdvfSectionType, bytes_before_image, read_tdvf, section_contents
from tests.support.firmware_builder import build_ovmf
from tests.support.tdvf_builder import BFV, CFV_SIZE, SECTIONS, TD_HOB, TEMP_MEM, Tdvf, build_tdvf


def read(data: bytes) -> Any:
    return read_tdvf(OvmfImage.parse(data))


def changed(number: int, **values: int) -> tuple[Tdvf, ...]:
    """SECTIONS with some values of one section changed."""
    return (*SECTIONS[:number], SECTIONS[number]._replace(**values), *SECTIONS[number + 1 :])


def test_sections_are_read_in_the_order_of_the_metadata() -> None:
    data = build_tdvf()
    found = read(data)
    assert [Tdvf(s.data_offset, s.raw_size, s.gpa, s.size, s.kind, s.attributes) for s in found] == [*SECTIONS]
    assert [one.name for one in found] == ["BFV", "CFV", "TEMP_MEM", "TD_HOB", "TEMP_MEM"]
    assert str(found[3]) == "TD_HOB@0x809000+0x2000"
    assert found[4].to_dict() == {
        "type": "TEMP_MEM",
        "gpa": 0x820000,
        "size": 0x3000,
        "data_offset": 0,
        "raw_size": 0,
        "measured": False,
        "added_later": True,
    }
    assert bytes_before_image(found, len(data)) == 0
    assert bytes(section_contents(found[0], data, 0) or b"") == data[CFV_SIZE:]
    assert bytes(section_contents(found[1], data, 0) or b"") == data[:CFV_SIZE]


def test_offsets_of_a_code_file_are_those_of_the_combined_image() -> None:
    code = build_tdvf()[CFV_SIZE:]
    found = read(code)
    assert bytes_before_image(found, len(code)) == CFV_SIZE
    assert bytes(section_contents(found[0], code, CFV_SIZE) or b"") == code
    assert section_contents(found[1], code, CFV_SIZE) is None


def test_an_image_without_metadata_is_refused() -> None:
    with pytest.raises(MalformedFirmware, match="the image has no TDVF metadata"):
        read(build_ovmf(pages=8))


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"pointer": b"\0\0"}, "the pointer holds 2 bytes, not 4"),
        ({"pointer": bytes(4)}, "offset 0x0 before the end is not inside the image"),
        ({"pointer": b"\xff\xff\xff\xff"}, "offset 0xffffffff before the end is not inside the image"),
        ({"magic": b"TDVE"}, "the signature is not 'TDVF'"),
        ({"version": 2}, "version 2 is not 1"),
        ({"length": 16}, "length 16 is not that of 5 sections"),
        ({"count": 0xFFFFFFFF}, "is not that of 4294967295 sections"),
        ({"count": 2000, "length": 64016}, "length 64016 is not that of 2000 sections, or not in the image"),
        ({"count": 6}, "length 176 is not that of 6 sections"),
        ({"sections": ()}, "it needs a section BFV and one section TD_HOB"),
        ({"sections": SECTIONS[:3]}, "it needs a section BFV and one section TD_HOB"),
        ({"sections": SECTIONS[1:]}, "it needs a section BFV and one section TD_HOB"),
        ({"sections": (*SECTIONS, SECTIONS[3]._replace(gpa=0x900000))}, "one section TD_HOB"),
        ({"sections": changed(2, kind=7)}, "section 2: unknown type 7"),
        ({"sections": changed(2, kind=0xFFFFFFFF)}, "section 2: unknown type 4294967295"),
        ({"sections": changed(0, attributes=5)}, "section 0: BFV: unknown bits in attributes 0x5"),
        ({"sections": changed(1, raw_size=0)}, "section 1: CFV: raw_size is 0"),
        ({"sections": changed(2, raw_size=1)}, "TEMP_MEM: it has no contents, but raw_size 0x1 and data_offset 0x0"),
        (
            {"sections": changed(3, data_offset=4096)},
            "TD_HOB: it has no contents, but raw_size 0x0 and data_offset",
        ),
        ({"sections": changed(3, gpa=0x809001)}, "section 3: TD_HOB: address 0x809001 is not that of a page"),
        ({"sections": changed(3, gpa=1 << 52)}, "TD_HOB: address 0x10000000000000 is not that of a page"),
        ({"sections": changed(3, size=0)}, "section 3: TD_HOB: size 0x0 is not that of pages"),
        ({"sections": changed(3, size=0x1001)}, "section 3: TD_HOB: size 0x1001 is not that of pages"),
        ({"sections": changed(1, raw_size=CFV_SIZE + 1)}, "CFV: raw_size 0x2001 is more than size 0x2000"),
        ({"sections": changed(2, size=1 << 40)}, "sections of more than 64 MiB"),
        (
            {"sections": changed(3, gpa=0x80F000)},
            "sections TD_HOB@0x80f000+0x2000 and TEMP_MEM@0x810000+0x10000 overlap",
        ),
        ({"sections": changed(0, data_offset=0)}, "data_offset 0x0 is not inside the image"),
        ({"sections": (SECTIONS[0]._replace(raw_size=16), SECTIONS[3])}, "data_offset 0x2000 is not inside the image"),
    ],
)
def test_each_broken_field_is_refused_by_its_name(broken: dict[str, Any], why: str) -> None:
    with pytest.raises(MalformedFirmware) as found:
        read(build_tdvf(**broken))
    assert str(found.value).startswith("TDVF metadata: ")
    assert why in str(found.value)


def test_types_of_td_shim_are_known() -> None:
    sections = (*SECTIONS, Tdvf(0x3000, 0x1000, 0x1000000, 0x2000, TdvfSectionType.PAYLOAD, 0))
    assert [one.name for one in read(build_tdvf(sections))][-1] == "PAYLOAD"
    assert {BFV, TD_HOB} < {one.kind for one in read(build_tdvf(sections))}


def test_more_sections_than_any_image_has_are_refused() -> None:
    many = [*SECTIONS, *(Tdvf(0, 0, 0x40000000 + at * 4096, 4096, TEMP_MEM, 0) for at in range(60))]
    with pytest.raises(MalformedFirmware, match="more than 64 sections"):
        read_tdvf(OvmfImage.parse(build_tdvf(many)))
    read_tdvf(OvmfImage.parse(build_tdvf(many[:64])))
