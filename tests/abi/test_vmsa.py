"""VMSA: every offset compared with sev-snp-measure's layout, and complete pages compared with captured ones."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure.vmsa import SevEsSaveArea

from catalog.abi import vmsa, vmsa_layout

WIDTHS = {"B": 1, "H": 2, "I": 4, "Q": 8}


@pytest.mark.parametrize("name", sorted(vmsa_layout.REGISTERS))
def test_register_offsets_match_sev_snp_measure(name: str) -> None:
    offset, width = vmsa_layout.REGISTERS[name]
    field = getattr(SevEsSaveArea, name)
    assert (offset, WIDTHS[width]) == (field.offset, field.size)


@pytest.mark.parametrize("name", sorted(vmsa_layout.SEGMENTS))
def test_segment_offsets_match_sev_snp_measure(name: str) -> None:
    assert vmsa_layout.SEGMENTS[name] == getattr(SevEsSaveArea, name).offset


@given(
    name=st.sampled_from(sorted(vmsa_layout.SEGMENTS)),
    fields=st.tuples(*(st.integers(0, 2**bits - 1) for bits in (16, 16, 32, 64))),
)
def test_a_segment_is_little_endian_and_changes_no_other_byte(name: str, fields: tuple[int, int, int, int]) -> None:
    page = vmsa.encode(vmsa.Registers({name: vmsa.Segment(*fields)}, {}))
    offset = vmsa_layout.SEGMENTS[name]
    assert len(page) == vmsa_layout.VMSA_SIZE
    assert page[offset : offset + 16] == struct.pack("<HHIQ", *fields)
    assert not any(page[:offset] + page[offset + 16 :])


@given(st.data())
def test_a_register_is_little_endian_and_changes_no_other_byte(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(vmsa_layout.REGISTERS)))
    offset, letter = vmsa_layout.REGISTERS[name]
    width = WIDTHS[letter]
    value = data.draw(st.integers(0, 256**width - 1))
    page = vmsa.encode(vmsa.Registers({}, {name: value}))
    assert int.from_bytes(page[offset : offset + width], "little") == value
    assert not any(page[:offset] + page[offset + width :])


@given(st.integers(0, 0xFFFFFFFF))
def test_the_start_address_is_split_between_cs_and_rip(eip: int) -> None:
    code = vmsa.Segment(selector=0xF000, attrib=0x9B, limit=0xFFFF, base=1)
    start = vmsa.starting_at(vmsa.Registers({"cs": code}, {"rip": 7, "rax": 1}), eip)
    assert start.segments["cs"].base + start.values["rip"] == eip
    assert start.segments["cs"].base % 0x10000 == 0
    assert (start.segments["cs"].selector, start.values["rax"]) == (0xF000, 1)


@pytest.mark.parametrize(
    ("eip", "sha256"),
    [
        # virtee/sevctl 8b47f3a6, tests/data/vmsa0.bin (BSP) and vmsa1.bin (AP), as their SHA-256
        (0xFFFFFFF0, "f8b52f775502472e5797d2674d9de21f6abc05dc05e9bc49cbb7b6a13688d5e7"),
        (0x0080B004, "bcee5cb289f72882da17abd8dca5e8a7e9f8e2033e7ad96b4db0ab1a383a6487"),
    ],
)
def test_pages_match_those_of_sevctl(eip: int, sha256: str) -> None:
    flat = {name: vmsa.Segment(attrib=0x93, limit=0xFFFF) for name in ("es", "ss", "ds", "fs", "gs")}
    tables = {name: vmsa.Segment(limit=0xFFFF) for name in ("gdtr", "idtr")}
    others = {
        "cs": vmsa.Segment(0xF000, 0x9B, 0xFFFF),
        "ldtr": vmsa.Segment(attrib=0x82, limit=0xFFFF),
        "tr": vmsa.Segment(attrib=0x8B, limit=0xFFFF),
    }
    values = {"efer": 0x1000, "cr4": 0x40, "cr0": 0x10, "dr7": 0x400, "dr6": 0xFFFF0FF0, "rflags": 2, "xcr0": 1}
    values |= {"g_pat": 0x0007040600070406, "rdx": 0x00A00F11}
    page = vmsa.encode(vmsa.starting_at(vmsa.Registers(flat | tables | others, values), eip))
    assert hashlib.sha256(page).hexdigest() == sha256


def test_unknown_registers_and_values_that_are_too_wide_raise() -> None:
    with pytest.raises(KeyError):
        vmsa.encode(vmsa.Registers({}, {"eax": 1}))
    with pytest.raises(struct.error):
        vmsa.encode(vmsa.Registers({}, {"mxcsr": 1 << 32}))
