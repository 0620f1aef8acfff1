"""Decoding of VMSA pages: every named field round-trips, and bytes outside of any field are listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi import vmsa, vmsa_layout
from catalog.abi.vmsa_layout import SEGMENT_BITS
from catalog.errors import MalformedInput
from tests.support.strategies import VMSA_PAGES

REGISTERS = st.fixed_dictionaries(
    {name: st.integers(0, (1 << vmsa.register_bits(name)) - 1) for name in vmsa_layout.REGISTERS}
)
SEGMENTS = st.fixed_dictionaries(
    {
        name: st.builds(vmsa.Segment, **{f: st.integers(0, (1 << bits) - 1) for f, bits in SEGMENT_BITS.items()})
        for name in vmsa_layout.SEGMENTS
    }
)


@pytest.mark.no_cover
@given(st.builds(vmsa.Registers, SEGMENTS, REGISTERS))
def test_encoded_registers_are_decoded(registers: vmsa.Registers) -> None:
    page = vmsa.encode(registers)
    assert vmsa.decode(page) == registers
    assert vmsa.unnamed(page) == []


@given(VMSA_PAGES)
def test_a_page_consists_of_its_fields_and_its_unnamed_bytes(page: bytes) -> None:
    runs = vmsa.unnamed(page)
    named = vmsa.encode(vmsa.decode(page))
    assert (named == page) == (not runs)
    rebuilt = bytearray(named)
    for offset, data in runs:
        assert 0 not in data
        assert not any(named[offset : offset + len(data)])
        rebuilt[offset : offset + len(data)] = data
    assert rebuilt == page
    starts = [offset for offset, _ in runs]
    assert starts == sorted(starts)


def test_registers_and_segments_of_zero_are_decoded() -> None:
    registers = vmsa.decode(bytes(vmsa_layout.VMSA_SIZE))
    assert registers.segments == dict.fromkeys(vmsa_layout.SEGMENTS, vmsa.Segment())
    assert registers.values == dict.fromkeys(vmsa_layout.REGISTERS, 0)


@pytest.mark.parametrize(
    ("offset", "runs"),
    [
        (0xC9, [(0xC9, b"\xff")]),  # followed by vmpl and cpl
        (0xCA, [(0xCC, b"\xff\xff")]),
        (0x412, [(0x412, b"\xff\xff\xff\xff")]),  # preceded by x87_fcw
        (0x46E, [(0x46E, b"\xff\xff\xff\xff")]),
        (0xFFC, [(0xFFC, b"\xff\xff\xff\xff")]),
    ],
)
def test_unnamed_bytes_end_where_a_field_begins(offset: int, runs: list[tuple[int, bytes]]) -> None:
    page = bytearray(vmsa_layout.VMSA_SIZE)
    page[offset : offset + 4] = b"\xff" * 4
    if offset == 0xC9:
        page[0xCC] = 0
    assert vmsa.unnamed(bytes(page)) == runs


@pytest.mark.parametrize("size", [0, 1, 4095, 4097, 8192])
def test_a_page_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(MalformedInput, match=f"a VMSA is 4096 bytes, not {size}") as caught:
        vmsa.decode(bytes(size))
    assert caught.value.exit_code == 3


def test_widths_are_those_of_the_fields() -> None:
    assert [vmsa.register_bits(name) for name in ("cpl", "x87_fcw", "mxcsr", "rip")] == [8, 16, 32, 64]
    with pytest.raises(KeyError):
        vmsa.register_bits("eax")
