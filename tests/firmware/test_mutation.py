"""Damaged images: nothing but an LdcatError is ever raised, and memory is bounded."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.abi import sha256_compression
from catalog.errors import LdcatError
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.lzma_sections import DICTIONARY_LIMIT
from catalog.firmware.metadata import Area, Section
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.technology import measure, technologies
from tests.support.firmware_builder import (
    AMDSEV_AREA,
    AMDSEV_SECTIONS,
    PAGE,
    TDX_METADATA,
    build_ovmf,
    packed_volume,
    volume_contents,
)
from tests.support.module_builder import volume_with_version
from tests.support.profiles import HASHES, a_point

SMALL = packed_volume(volume_contents(verifier=True))
SEEDS = [
    build_ovmf(pages=1, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS, extra={TDX_METADATA: bytes(4)}),
    build_ovmf(pages=1, hashes_area=Area(0, 0), sections=AMDSEV_SECTIONS[:-1]),
    build_ovmf(pages=1, hashes_area=Area(0x80FC00, 0x400), sections=(Section(0x800000, 0x9000, 1),)),
    build_ovmf(pages=2, standalone_reset_block=True),
    build_ovmf(pages=2, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS, volume=SMALL),
    build_ovmf(pages=4, sections=AMDSEV_SECTIONS, volume=packed_volume(bytes(8 * 4 * PAGE))),
    build_ovmf(pages=4, volume=packed_volume(volume_with_version())),
]
"""Whole images with every structure there is; the one-page ones are what other projects use as fixtures."""

TIMES_THE_IMAGE = 4
SLACK = (1 << 20) if sha256_compression.in_use == "compiled" else (14 << 20)
"""Bytes whatever the image; the pure-Python SHA-256 keeps message schedules besides."""


@st.composite
def flipped(draw: st.DrawFn) -> bytes:
    """A whole image with a few bits flipped, most of them where its structures are."""
    image = bytearray(draw(st.sampled_from(SEEDS)))
    near_the_end = st.integers(max(0, len(image) - 400), len(image) - 1)
    in_the_volume = st.integers(0, min(len(image) - 1, 200))
    for at in draw(st.lists(near_the_end | in_the_volume | st.integers(0, len(image) - 1), min_size=1, max_size=6)):
        image[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(image)


@st.composite
def cut(draw: st.DrawFn) -> bytes:
    """A range of a whole image, of whole pages or of any length."""
    image = draw(st.sampled_from(SEEDS))
    start = draw(st.integers(0, len(image)) | st.integers(0, len(image) // PAGE).map(lambda page: page * PAGE))
    return image[start : draw(st.integers(start, len(image)) | st.just(len(image)))]


@st.composite
def stretched(draw: st.DrawFn) -> bytes:
    """A whole image with bytes or pages put in, or a piece of it doubled."""
    image = draw(st.sampled_from(SEEDS))
    at = draw(st.integers(0, len(image)) | st.integers(len(image) - 400, len(image)))
    piece = draw(st.binary(max_size=40) | st.just(bytes(PAGE)) | st.just(image[at : at + PAGE]))
    longer = image[:at] + piece + image[at:]
    return longer[len(longer) % PAGE :] if draw(st.booleans()) else longer


@pytest.mark.no_cover
@settings(max_examples=300)
@given(flipped() | cut() | stretched())
def test_a_damaged_image_is_measured_or_refused(data: bytes) -> None:
    try:
        firmware = FirmwareComponent.from_image(OvmfImage.parse(data))
    except LdcatError:
        return
    for technology in technologies().values():
        for hashes in (None, HASHES):
            try:
                digest = measure(technology, firmware, a_point(technology, kernel_hashes=hashes))
            except LdcatError:
                continue
            assert len(digest.value) in (32, 48)


@settings(max_examples=100)
@given(flipped() | cut() | stretched())
def test_memory_for_damaged_images_stays_within_a_few_times_the_image_and_a_dictionary(data: bytes) -> None:
    assert _peak(data) < TIMES_THE_IMAGE * len(data) + DICTIONARY_LIMIT + SLACK


@pytest.mark.parametrize("data", SEEDS)
def test_memory_for_whole_images_stays_within_a_few_times_the_image(data: bytes) -> None:
    assert _peak(data) < TIMES_THE_IMAGE * len(data) + SLACK


def test_memory_for_a_larger_image_stays_within_a_few_times_the_image() -> None:
    data = build_ovmf(pages=64, sections=AMDSEV_SECTIONS, volume=packed_volume(bytes(8 * 64 * PAGE)))
    assert _peak(data) < TIMES_THE_IMAGE * len(data) + SLACK


def _peak(data: bytes) -> int:
    """Bytes allocated at most while an image is read and reduced, those of the LZMA decoder included."""
    tracemalloc.start()
    try:
        with contextlib.suppress(LdcatError):
            FirmwareComponent.from_image(OvmfImage.parse(data))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
