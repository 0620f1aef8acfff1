"""Whether kernel hashes are enforced: yes, no or unknown; and bounded work on malicious streams."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.firmware import blob_verifier
from catalog.firmware.blob_verifier import EXPANSION_LIMIT, Enforced, kernel_hashes_enforced
from tests.support.firmware_builder import (
    KERNEL_ENTRY,
    LZMA_SECTION,
    PAGE,
    VOLUME_AT,
    build_ovmf,
    packed_volume,
    volume_contents,
)

CHUNK = 1 << 16
WITH = volume_contents(verifier=True)
WITHOUT = volume_contents(verifier=False)


def verdict(volume: bytes, *, pages: int = 2) -> Enforced:
    return kernel_hashes_enforced(build_ovmf(pages=pages, volume=volume))


def test_a_volume_with_the_verifier_enforces_and_one_without_does_not() -> None:
    assert verdict(packed_volume(WITH)) is Enforced.YES
    assert verdict(packed_volume(WITHOUT)) is Enforced.NO


def test_without_a_compressed_volume_the_answer_is_unknown() -> None:
    assert verdict(b"") is Enforced.UNKNOWN
    assert verdict(KERNEL_ENTRY.bytes_le) is Enforced.UNKNOWN  # outside of a volume it proves nothing
    assert kernel_hashes_enforced(b"") is Enforced.UNKNOWN


@given(size=st.integers(16, 3 * CHUNK), data=st.data())
def test_the_verifier_is_found_at_any_offset(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 16))
    volume = packed_volume(volume_contents(verifier=True, size=size, at=at))
    assert verdict(volume, pages=8) is Enforced.YES


@pytest.mark.parametrize("at", [CHUNK - 16, CHUNK - 15, CHUNK - 8, CHUNK - 1, CHUNK, 2 * CHUNK - 7])
def test_the_verifier_is_found_across_chunk_boundaries(at: int) -> None:
    volume = packed_volume(volume_contents(verifier=True, size=3 * CHUNK, at=at))
    assert verdict(volume, pages=8) is Enforced.YES


def test_all_volumes_are_searched() -> None:
    assert verdict(packed_volume(WITHOUT) + packed_volume(WITH)) is Enforced.YES
    assert verdict(packed_volume(WITHOUT) + packed_volume(WITHOUT)) is Enforced.NO
    assert verdict(packed_volume(WITHOUT) + packed_volume(WITH, cut=400)) is Enforced.UNKNOWN


def test_the_guid_without_a_header_is_ignored() -> None:
    in_code = b"\xb8\x00\x00\x01" + LZMA_SECTION.bytes_le + b"\xc3"
    assert verdict(in_code + packed_volume(WITH)) is Enforced.YES
    assert verdict(in_code) is Enforced.UNKNOWN
    assert kernel_hashes_enforced(LZMA_SECTION.bytes_le) is Enforced.UNKNOWN  # no room for a header in front of it
    assert kernel_hashes_enforced(b"\x02" + LZMA_SECTION.bytes_le) is Enforced.UNKNOWN


@pytest.mark.parametrize(
    "volume",
    [
        packed_volume(WITH, section_type=1),
        packed_volume(WITH, section_size=0xFFFFFF),
        packed_volume(WITH, section_size=23),
        packed_volume(WITH, section_size=24),
        packed_volume(WITH, data_offset=23),
        packed_volume(WITH, data_offset=0),
        packed_volume(WITH, data_offset=0xFFFF),
        packed_volume(WITH, section_size=24 + 12),
        packed_volume(WITH, section_size=24 + 13),
        packed_volume(WITH, cut=300),
        packed_volume(WITH, properties=9 * 5 * 5),
        packed_volume(WITH, properties=9 * 5 * 5 - 1),
        packed_volume(WITH, claimed_size=len(WITH) + 1),
        packed_volume(WITH, claimed_size=0xFFFFFFFFFFFFFFFF),
        packed_volume(WITH, claimed_size=EXPANSION_LIMIT * 2 * PAGE + 1),
    ],
)
def test_a_malformed_or_truncated_volume_is_unknown(volume: bytes) -> None:
    assert verdict(volume) is Enforced.UNKNOWN


@given(st.data())
def test_a_damaged_stream_never_raises(data: st.DataObject) -> None:
    volume = bytearray(packed_volume(WITHOUT))
    at = data.draw(st.integers(24, len(volume) - 1))
    volume[at] ^= data.draw(st.integers(1, 255))
    assert verdict(bytes(volume)) in set(Enforced)


def test_a_stream_of_zeros_is_unknown() -> None:
    volume = bytearray(packed_volume(WITHOUT))
    volume[24 + 13 :] = b"\xff" * (len(volume) - 37)
    assert verdict(bytes(volume)) is Enforced.UNKNOWN


@pytest.mark.parametrize("dictionary", [0, 1, 1 << 20, 0xFFFFFFFF])
def test_the_dictionary_size_of_the_header_allocates_nothing(dictionary: int) -> None:
    """A header may claim 4 GiB; memory use depends only on what is unpacked."""
    image = build_ovmf(pages=16, volume=packed_volume(WITH, dictionary=dictionary))
    tracemalloc.start()
    try:
        assert kernel_hashes_enforced(image) is Enforced.YES
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_unpacking_up_to_the_limit_takes_bounded_memory() -> None:
    image_size = 64 * PAGE
    volume = packed_volume(bytes(EXPANSION_LIMIT * image_size))
    image = build_ovmf(pages=64, volume=volume)
    assert image[VOLUME_AT : VOLUME_AT + len(volume)] == volume
    tracemalloc.start()
    try:
        assert kernel_hashes_enforced(image) is Enforced.NO
        assert tracemalloc.get_traced_memory()[1] < 12 * image_size
    finally:
        tracemalloc.stop()


def test_many_sections_of_one_stream_cost_no_more_than_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit applies to all volumes together, so that no image takes unbounded work."""
    contents = bytes(60 * 4096)
    image = build_ovmf(pages=16, volume=packed_volume(contents) * 8)
    unpacked: list[int] = []
    unpack = blob_verifier._unpacks_to

    def counted(packed: bytes, needle: bytes, *, limit: int) -> Enforced:
        unpacked.append(min(limit, len(contents)))
        return unpack(packed, needle, limit=limit)

    monkeypatch.setattr(blob_verifier, "_unpacks_to", counted)
    assert kernel_hashes_enforced(image) is Enforced.UNKNOWN
    assert sum(unpacked) <= blob_verifier.EXPANSION_LIMIT * len(image)
    assert len(unpacked) == 3


def test_sections_inside_a_section_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, nested headers would make the work quadratic in the size of the image."""
    seen: list[int] = []

    def looked_at(packed: bytes, _: bytes, *, limit: int) -> Enforced:
        seen.append(len(packed))
        return Enforced.NO

    monkeypatch.setattr(blob_verifier, "_unpacks_to", looked_at)
    header = (
        (2048).to_bytes(3, "little") + b"\x02" + blob_verifier.LZMA_SECTION + (24).to_bytes(2, "little") + bytes(15)
    )
    assert kernel_hashes_enforced(header * 200 + bytes(4096)) is Enforced.NO
    assert sum(seen) <= 200 * len(header) + 4096
    assert len(seen) == 200 * len(header) // 2048 + 1


def test_a_stream_that_unpacks_to_nothing_is_unknown() -> None:
    packed = b"\x5d" + bytes(12)
    section = (24 + len(packed)).to_bytes(3, "little") + b"\x02" + blob_verifier.LZMA_SECTION
    section += (24).to_bytes(2, "little") + bytes(2) + packed
    assert kernel_hashes_enforced(build_ovmf(volume=section)) is Enforced.UNKNOWN
