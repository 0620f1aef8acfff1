"""What the volumes of an image say: whether kernel hashes are enforced, or why that is unknown; the version."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.firmware.blob_verifier import Enforced, Enforcement, enforcement_in
from catalog.firmware.lzma_sections import UNPACKED_LIMIT, sections_sha256
from catalog.firmware.volume_contents import read_volumes
from tests.support.firmware_builder import KERNEL_ENTRY, build_ovmf, packed_volume, volume_contents
from tests.support.module_builder import VERSION, smbios_platform_dxe, ui_app, volume_with_version

CHUNK = 1 << 16
MIB = 1 << 20
WITH = volume_contents(verifier=True)
WITHOUT = volume_contents(verifier=False)
YES, NO = Enforcement(Enforced.YES), Enforcement(Enforced.NO)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def verdict(volume: bytes, *, pages: int = 2) -> Enforcement:
    return read_volumes(build_ovmf(pages=pages, volume=volume)).enforcement


def unknown(reason: str, *, is_damaged: bool = True) -> Enforcement:
    return Enforcement(Enforced.UNKNOWN, reason, is_damaged)


def test_a_volume_with_the_verifier_enforces_and_one_without_does_not() -> None:
    assert verdict(packed_volume(WITH)) == YES
    assert verdict(packed_volume(WITHOUT)) == NO


def test_without_a_compressed_volume_nothing_is_known() -> None:
    no_volume = unknown("the image has no LZMA-compressed volume", is_damaged=False)
    assert verdict(b"") == no_volume
    assert verdict(KERNEL_ENTRY.bytes_le) == no_volume  # outside of any volume it says nothing
    assert read_volumes(b"").enforcement == no_volume


@given(size=st.integers(16, 3 * CHUNK), data=st.data())
def test_the_verifier_is_found_wherever_it_lies(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 16))
    volume = packed_volume(volume_contents(verifier=True, size=size, at=at))
    assert verdict(volume, pages=8) == YES


@pytest.mark.parametrize("at", [CHUNK - 16, CHUNK - 15, CHUNK - 8, CHUNK - 1, CHUNK, 2 * CHUNK - 7])
def test_the_verifier_is_found_across_the_parts_it_is_unpacked_in(at: int) -> None:
    volume = packed_volume(volume_contents(verifier=True, size=3 * CHUNK, at=at))
    assert verdict(volume, pages=8) == YES


def test_all_volumes_are_looked_at() -> None:
    assert verdict(packed_volume(WITHOUT) + packed_volume(WITH)) == YES
    assert verdict(packed_volume(WITHOUT) + packed_volume(WITHOUT)) == NO
    assert verdict(packed_volume(WITHOUT) + packed_volume(WITH, cut=400)) == unknown("a compressed volume ends early")


def test_a_volume_that_is_damaged_behind_the_verifier_holds_it() -> None:
    """Both for a launch, for which nothing is unpacked behind it, and for a record, which has the version, too."""
    contents = noise(3 * CHUNK) + KERNEL_ENTRY.bytes_le + noise(3 * CHUNK + 1)
    for cut, expected in ((0, Enforced.YES), (400, Enforced.YES), (5 * CHUNK, Enforced.UNKNOWN)):
        image = build_ovmf(pages=128, volume=packed_volume(contents, cut=cut))
        found = read_volumes(image)
        assert (found.enforcement.enforced, found.enforcement.is_damaged) == (expected, cut > 0)
        assert enforcement_in(image).enforced is expected
        assert found.firmware_version is None


@given(st.data())
def test_a_launch_and_a_record_say_the_same_of_damaged_volumes(data: st.DataObject) -> None:
    volume = bytearray(packed_volume(noise(CHUNK) + WITH + noise(CHUNK + 1)) + packed_volume(WITHOUT))
    at = data.draw(st.integers(24, len(volume) - 1))
    volume[at] ^= data.draw(st.integers(1, 255))
    image = build_ovmf(pages=64, volume=bytes(volume))
    assert enforcement_in(image).enforced is read_volumes(image).enforcement.enforced


@pytest.mark.parametrize("times", [8, 9, 40])
def test_how_many_times_the_image_a_volume_unpacks_to_does_not_matter(times: int) -> None:
    """Images of 1,966,080 bytes from edk2's master of 2025 and 2026 unpack to 16,056,464 bytes, 8.2 times as much."""
    image = build_ovmf(pages=16, volume=packed_volume(bytes(times * 16 * 4096)))
    assert read_volumes(image).enforcement == NO


def test_all_volumes_of_an_image_share_one_limit() -> None:
    volume = packed_volume(bytes(20 * MIB))
    states = "a compressed volume states to unpack to 20,971,520 bytes; the limit of an image is 67,108,864"
    assert UNPACKED_LIMIT < 80 * MIB
    assert verdict(volume * 3, pages=16) == NO
    assert verdict(volume * 4, pages=16) == unknown(states)


@given(st.data())
def test_a_damaged_stream_never_raises(data: st.DataObject) -> None:
    volume = bytearray(packed_volume(WITHOUT))
    at = data.draw(st.integers(24, len(volume) - 1))
    volume[at] ^= data.draw(st.integers(1, 255))
    found = verdict(bytes(volume))
    assert (found.why_unknown is not None) == (found.enforced is Enforced.UNKNOWN)


def test_the_version_is_that_of_all_volumes_together() -> None:
    def version(*volumes: bytes) -> str | None:
        return read_volumes(build_ovmf(volume=b"".join(map(packed_volume, volumes)))).firmware_version

    assert version(volume_with_version()) == VERSION
    assert version(smbios_platform_dxe(), ui_app()) == VERSION
    assert version(smbios_platform_dxe()) is None
    assert version() is None


def test_an_image_with_a_damaged_volume_has_no_version() -> None:
    volume = packed_volume(volume_with_version()) + packed_volume(WITHOUT, cut=400)
    assert read_volumes(build_ovmf(volume=volume)).firmware_version is None


def test_volumes_are_known_by_their_sha256_wherever_they_lie() -> None:
    one, other = packed_volume(WITH), packed_volume(WITHOUT)
    hashes = [sections_sha256(data) for data in (one, other, one + other, other + one, b"")]
    assert len(set(hashes)) == len(hashes)
    assert sections_sha256(bytes(5) + one + b"x" + other) == hashes[2]
