"""The GUID table: which entries are read, and every way in which the table can be broken."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedFirmware
from catalog.firmware import guid_table
from tests.support.firmware_builder import (
    FOOTER,
    HASHES_AREA,
    METADATA,
    PAGE,
    RESET_BLOCK,
    TDX_METADATA,
    Broken,
    build_ovmf,
)

ENTRIES = st.dictionaries(st.uuids().filter(lambda guid: guid != FOOTER), st.binary(max_size=40), max_size=8)


@given(ENTRIES, st.integers(0, 99))
def test_entries_are_read_from_the_footer_backwards(entries: dict[Any, bytes], seed: int) -> None:
    order = list(entries)
    image = build_ovmf(pages=1, seed=seed, reset_vector=None, extra=entries, order=order)
    read = guid_table.read_guid_table(image)
    assert read == entries
    assert list(read) == order


def test_the_guids_are_those_of_the_specification() -> None:
    ours: Any = guid_table
    assert (ours.FOOTER, ours.SEV_ES_RESET_BLOCK) == (FOOTER, RESET_BLOCK)
    assert (ours.SEV_HASHES_AREA, ours.SEV_METADATA) == (HASHES_AREA, METADATA)
    assert set(guid_table.NAMES) > {RESET_BLOCK, HASHES_AREA, METADATA, TDX_METADATA}


@pytest.mark.parametrize("size", [0, 1, 32, 49, PAGE])
def test_without_a_footer_there_is_no_table_and_no_reset_block(size: int) -> None:
    assert guid_table.read_guid_table(bytes(size)) is None
    assert guid_table.read_standalone_reset_block(bytes(size)) is None


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (Broken(table_length=0), "length 0 is less than its own footer's 18 bytes"),
        (Broken(table_length=17), "length 17 is less"),
        (Broken(table_length=PAGE - 31), f"{PAGE - 31} bytes do not fit the image"),
        (Broken(table_length=0xFFFF), "65535 bytes do not fit the image"),
        (Broken(table_length=18 + 17), "truncated, 17 bytes are no entry"),
        (Broken(table_length=18 + 22 + 5), "truncated, 5 bytes are no entry"),
        (Broken(table_length=18 + 21), "entry length 22 is not between 18 and 21"),
        (Broken(entry_lengths={RESET_BLOCK: 0}), "entry length 0 is not between"),
        (Broken(entry_lengths={RESET_BLOCK: 17}), "entry length 17 is not between 18 and 22"),
        (Broken(entry_lengths={RESET_BLOCK: 23}), "entry length 23 is not between 18 and 22"),
        (Broken(entry_lengths={RESET_BLOCK: 0xFFFF}), "entry length 65535"),
        (Broken(doubled=RESET_BLOCK), f"{RESET_BLOCK} stands twice"),
    ],
)
def test_a_broken_table_is_refused(broken: Broken, reason: str) -> None:
    with pytest.raises(MalformedFirmware, match=reason):
        guid_table.read_guid_table(build_ovmf(pages=1, broken=broken))


def test_a_table_may_begin_at_the_start_of_the_image() -> None:
    size = PAGE - 32
    image = build_ovmf(pages=1, reset_vector=None, extra={TDX_METADATA: bytes(size - 36)})
    assert image[:18] == bytes(18)
    read: Any = guid_table.read_guid_table(image)
    assert read == {TDX_METADATA: bytes(size - 36)}


def test_the_standalone_reset_block_of_2020_is_read() -> None:
    image = build_ovmf(pages=1, standalone_reset_block=True, reset_vector=0x80B000)
    assert guid_table.read_guid_table(image) is None
    assert guid_table.read_standalone_reset_block(image) == 0x80B000


def test_a_standalone_reset_block_of_another_length_is_refused() -> None:
    image = build_ovmf(pages=1, standalone_reset_block=True, broken=Broken(standalone_length=23))
    with pytest.raises(MalformedFirmware, match="22 bytes"):
        guid_table.read_standalone_reset_block(image)


def test_an_image_of_only_a_reset_block_is_read() -> None:
    block = struct.pack("<IH", 5, 22) + RESET_BLOCK.bytes_le
    assert guid_table.read_standalone_reset_block(block + bytes(32)) == 5
    assert guid_table.read_standalone_reset_block(block[1:] + bytes(32)) is None
