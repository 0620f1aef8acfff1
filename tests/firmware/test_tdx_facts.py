"""MRTDs of an image, against a fold that is written out here, and with the TD HOB of a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.rtmr_facts import EVENTS
from catalog.firmware.tdx.td_hob import memory_of, td_hob
from catalog.firmware.tdx.tdx_facts import EXTEND_ALONE, MACHINES, SINGLE_PASS, TWO_PASS, WAYS, TdxFacts
from tests.support.firmware_builder import build_ovmf
from tests.support.tdvf_builder import CFV_SIZE, SECTIONS, Tdvf, build_tdvf

GIB = 1 << 30


def buffer(name: bytes, gpa: int) -> bytes:
    return name.ljust(16, b"\0") + gpa.to_bytes(8, "little") + bytes(104)


def extends(gpa: int, page: bytes) -> Iterator[bytes]:
    for at in range(0, 4096, 256):
        yield buffer(b"MR.EXTEND", gpa + at) + page[at : at + 256]


def expected(sections: Sequence[Tdvf], data: bytes, *, two_pass: bool = False, alone: bool = False) -> str:
    made = hashlib.sha384()
    for one in sections:
        contents = data[one.data_offset : one.data_offset + one.raw_size].ljust(one.size, b"\0")
        is_measured = one.attributes == 1 if alone else one.attributes & 1
        adds, pages = [], []
        for at in range(0, one.size, 4096):
            adds.append(b"" if one.attributes & 2 else buffer(b"MEM.PAGE.ADD", one.gpa + at))
            pages.append(b"".join(extends(one.gpa + at, contents[at : at + 4096])) if is_measured else b"")
        each = (
            [*adds, *pages] if two_pass and is_measured else [x for pair in zip(adds, pages, strict=True) for x in pair]
        )
        made.update(b"".join(each))
    return made.hexdigest()


ODD = (
    SECTIONS[0],
    SECTIONS[1]._replace(raw_size=CFV_SIZE - 5, attributes=1),
    *SECTIONS[2:4],
    Tdvf(0, 0, 0x820000, 0x3000, 3, 3),
)
"""The variable store is measured, with zeros at its end, and so is memory that is added later."""


@pytest.mark.parametrize("sections", [SECTIONS, ODD])
def test_pages_are_added_and_measured_in_each_order(sections: tuple[Tdvf, ...]) -> None:
    data = build_tdvf(sections)
    found = TdxFacts.of(OvmfImage.parse(data))
    assert (found.fault, tuple(found.mrtd)) == (None, WAYS)
    assert found.mrtd[SINGLE_PASS].hex() == expected(sections, data)
    assert found.mrtd[TWO_PASS].hex() == expected(sections, data, two_pass=True)
    assert found.mrtd[EXTEND_ALONE].hex() == expected(sections, data, alone=True)
    assert len(set(found.mrtd.values())) == len(WAYS) - (sections is SECTIONS)
    assert found.to_dict()["mrtd"][SINGLE_PASS] == expected(sections, data)


def test_a_code_file_has_the_digests_of_the_combined_image() -> None:
    data = build_tdvf()
    whole, code = (TdxFacts.of(OvmfImage.parse(some)) for some in (data, data[CFV_SIZE:]))
    assert whole.sections == code.sections
    assert {way: whole.mrtd[way] for way in code.mrtd} == code.mrtd
    assert set(code.mrtd) == {SINGLE_PASS, TWO_PASS, EXTEND_ALONE}  # the rest measures the variable store
    measured = build_tdvf(ODD)[CFV_SIZE:]
    assert TdxFacts.of(OvmfImage.parse(measured)).mrtd == {}


def test_an_image_that_is_no_tdvf_says_why() -> None:
    found = TdxFacts.of(OvmfImage.parse(build_ovmf(pages=8)))
    fault = "the image has no TDVF metadata"
    assert found.to_dict() == {
        "fault": fault,
        "sections": [],
        "mrtd": {},
        "rtmr": {"why_unknown": fault, "events": dict.fromkeys(EVENTS)},
    }


def test_a_td_hob_lists_the_memory_of_a_machine() -> None:
    assert memory_of(16, 1, 176) == [(0, 3 * GIB), (4 * GIB - (2 << 20), 4 * GIB), (4 * GIB, 17 * GIB)]
    assert memory_of(352, 2, 176)[2:] == [(4 * GIB, 177 * GIB), (177 * GIB, 353 * GIB)]
    hob = td_hob(0x809000, [(0x1000, 0x2000), (0x3000, 0x4000)], [(0, 0x5000), (4 * GIB, 5 * GIB)])
    assert (len(hob), hob[:2], hob[-8:]) == (56 + 48 * 6 + 8, b"\1\0", b"\xff\xff\x08\0" + bytes(4))
    ranges = [
        (int.from_bytes(hob[at + 32 : at + 40], "little"), int.from_bytes(hob[at + 40 : at + 48], "little"))
        for at in range(56, len(hob) - 8, 48)
    ]
    assert ranges == [
        (0x1000, 0x1000),
        (0x3000, 0x1000),
        (0, 0x1000),
        (0x2000, 0x1000),
        (0x4000, 0x1000),
        (4 * GIB, GIB),
    ]
    assert int.from_bytes(hob[48:56], "little") == 0x809000 + len(hob) - 8


def test_a_td_hob_that_does_not_fit_gives_no_digest() -> None:
    many = [Tdvf(0, 0, 0x900000 + 0x2000 * n, 4096, 3, 0) for n in range(60)]
    small = (*SECTIONS[:3], *many, SECTIONS[3]._replace(size=4096))
    found = TdxFacts.of(OvmfImage.parse(build_tdvf(small)))
    assert not MACHINES.keys() & found.mrtd.keys()
