"""The compressed sections of an image: found, unpacked in bounded memory, and refused with the reason."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedFirmware
from catalog.firmware import lzma_sections
from catalog.firmware.lzma_sections import DICTIONARY_LIMIT, LZMA_SECTION, UNPACKED_LIMIT, unpack
from tests.support.firmware_builder import build_ovmf, packed_volume, volume_contents

MIB = 1 << 20
CONTENTS = volume_contents(verifier=True)


def sections(image: bytes) -> list[bytes]:
    return list(lzma_sections.lzma_sections(image))


def unpacked(volume: bytes, *, limit: int = UNPACKED_LIMIT) -> bytes:
    (packed,) = sections(volume + bytes(64))
    return b"".join(unpack(packed, limit=limit))


@given(size=st.integers(1, 200_000))
def test_a_section_unpacks_to_its_contents_in_parts_of_64_kib(size: int) -> None:
    contents = volume_contents(verifier=False, size=size)
    (packed,) = sections(packed_volume(contents))
    parts = list(unpack(packed, limit=size))
    assert b"".join(parts) == contents
    assert {len(part) for part in parts[:-1]} <= {1 << 16}


def test_a_guid_without_a_section_header_is_passed_over() -> None:
    in_code = b"\xb8\x00\x00\x01" + LZMA_SECTION + b"\xc3"
    assert sections(in_code + packed_volume(CONTENTS)) == sections(packed_volume(CONTENTS))
    assert sections(LZMA_SECTION) == []  # no room for a header before it
    assert sections(b"\x02" + LZMA_SECTION) == []


@pytest.mark.parametrize(
    "volume",
    [
        packed_volume(CONTENTS, section_type=1),
        packed_volume(CONTENTS, section_size=0xFFFFFF),
        packed_volume(CONTENTS, section_size=23),
        packed_volume(CONTENTS, section_size=24),
        packed_volume(CONTENTS, data_offset=23),
        packed_volume(CONTENTS, data_offset=0),
        packed_volume(CONTENTS, data_offset=0xFFFF),
    ],
)
def test_a_header_with_a_wrong_field_is_no_section(volume: bytes) -> None:
    assert sections(build_ovmf(volume=volume)) == []


def test_sections_do_not_overlap() -> None:
    """Otherwise nested headers would make the work grow with the square of the image."""
    header = (2048).to_bytes(3, "little") + b"\x02" + LZMA_SECTION + (24).to_bytes(2, "little") + bytes(15)
    found = sections(header * 200 + bytes(4096))
    assert sum(map(len, found)) <= 200 * len(header) + 4096
    assert len(found) == 200 * len(header) // 2048 + 1


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (packed_volume(CONTENTS, section_size=24 + 12), "no valid LZMA header"),
        (packed_volume(CONTENTS, properties=9 * 5 * 5), "no valid LZMA header"),
        (packed_volume(CONTENTS, claimed_size=0), "no valid LZMA header"),
        (packed_volume(CONTENTS, properties=9 * 5 * 5 - 1), "is damaged"),
        (packed_volume(CONTENTS, section_size=24 + 13), "ends early"),
        (packed_volume(CONTENTS, cut=300), "ends early"),
        (packed_volume(CONTENTS, claimed_size=len(CONTENTS) + 1), "ends early|is damaged"),
        (
            packed_volume(CONTENTS, claimed_size=UNPACKED_LIMIT + 1),
            "a compressed volume states to unpack to 67,108,865 bytes; the limit of an image is 67,108,864",
        ),
        (packed_volume(CONTENTS, claimed_size=0xFFFFFFFFFFFFFFFF), "18,446,744,073,709,551,615 bytes"),
        (
            packed_volume(CONTENTS, claimed_size=DICTIONARY_LIMIT + 1, dictionary=0xFFFFFFFF),
            "a compressed volume needs a dictionary of 33,554,433 bytes, more than 33,554,432",
        ),
    ],
)
def test_why_a_stream_is_not_unpacked(volume: bytes, reason: str) -> None:
    with pytest.raises(MalformedFirmware, match=reason):
        unpacked(volume)


def test_a_damaged_stream_is_refused() -> None:
    volume = bytearray(packed_volume(CONTENTS))
    volume[24 + 13 :] = b"\xff" * (len(volume) - 37)
    with pytest.raises(MalformedFirmware, match="is damaged"):
        unpacked(bytes(volume))


@given(st.data())
def test_a_changed_byte_raises_nothing_else(data: st.DataObject) -> None:
    volume = bytearray(packed_volume(CONTENTS))
    at = data.draw(st.integers(24, len(volume) - 1))
    volume[at] ^= data.draw(st.integers(1, 255))
    for packed in sections(bytes(volume)):
        try:
            assert sum(map(len, unpack(packed, limit=4 * MIB))) <= 4 * MIB
        except MalformedFirmware:
            continue


def test_contents_larger_than_the_limit_are_not_unpacked() -> None:
    assert unpacked(packed_volume(CONTENTS), limit=len(CONTENTS)) == CONTENTS
    with pytest.raises(MalformedFirmware, match="the limit"):
        unpacked(packed_volume(CONTENTS), limit=len(CONTENTS) - 1)


@pytest.mark.parametrize("dictionary", [0, 1, 1 << 20, 0xFFFFFFFF])
def test_the_dictionary_of_the_header_takes_no_memory(dictionary: int) -> None:
    """A header may state 4 GiB: the decoder takes no more than what is unpacked."""
    volume = packed_volume(CONTENTS, dictionary=dictionary)
    tracemalloc.start()
    try:
        assert unpacked(volume) == CONTENTS
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_a_stream_may_unpack_to_the_limit_in_the_memory_of_its_dictionary() -> None:
    (packed,) = sections(packed_volume(bytes(UNPACKED_LIMIT)))  # packed with a dictionary of 256 KiB
    tracemalloc.start()
    try:
        assert sum(map(len, unpack(packed, limit=UNPACKED_LIMIT))) == UNPACKED_LIMIT
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB
    finally:
        tracemalloc.stop()
