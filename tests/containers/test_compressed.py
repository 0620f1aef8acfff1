"""Compressed files: whole ones give their contents, cut and damaged ones are refused."""

from __future__ import annotations

import lzma
import zlib
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.containers.container import CHUNK, Compressed
from catalog.containers.unwrap import formats
from catalog.containers.zstd_frames import MAX_WINDOW
from catalog.errors import MalformedFirmware
from tests.support.container_writers import COMPRESSORS
from tests.support.samples import whole_image

RAW = whole_image()
NAMES = sorted(COMPRESSORS)


def compressed(name: str) -> Compressed:
    one = formats()[name]
    assert isinstance(one, Compressed)
    return one


def contents(name: str, data: bytes) -> bytes:
    return b"".join(compressed(name).chunks(data))


def test_every_compressed_format_is_tested_here() -> None:
    assert sorted(name for name, one in formats().items() if isinstance(one, Compressed)) == NAMES


@pytest.mark.parametrize("raw", [b"", RAW, RAW * 9, bytes(3 * CHUNK + 1)], ids=["empty", "whole", "long", "zeros"])
@pytest.mark.parametrize("name", NAMES)
def test_the_contents_come_out_as_they_went_in(name: str, raw: bytes) -> None:
    packed = COMPRESSORS[name](raw)
    assert compressed(name).matches(packed)
    assert contents(name, packed) == raw
    assert all(len(chunk) <= CHUNK for chunk in compressed(name).chunks(packed))


@pytest.mark.parametrize("name", NAMES)
def test_streams_one_after_the_other_are_one_file(name: str) -> None:
    assert contents(name, COMPRESSORS[name](RAW) + COMPRESSORS[name](RAW[:99])) == RAW + RAW[:99]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_cut_off_is_refused(name: str) -> None:
    packed = COMPRESSORS[name](RAW)
    for size in (len(packed) - 1, len(packed) // 2, len(compressed(name).magic) + 1):
        with pytest.raises(MalformedFirmware):
            contents(name, packed[:size])


@pytest.mark.parametrize("name", NAMES)
def test_bytes_after_the_end_are_refused(name: str) -> None:
    with pytest.raises(MalformedFirmware):
        contents(name, COMPRESSORS[name](RAW) + b"more")


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    packed = bytearray(COMPRESSORS[name](RAW[:600]))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(MalformedFirmware):
        assert all(len(chunk) <= CHUNK for chunk in compressed(name).chunks(bytes(packed)))


def test_an_xz_file_that_needs_more_memory_than_its_largest_preset_is_refused() -> None:
    packed = bytearray(lzma.compress(RAW, preset=0))
    packed[packed.index(b"\x21\x01", 12) + 2] = 30  # the dictionary of LZMA2: 128 MiB
    end = 12 + 4 * (packed[12] + 1)
    packed[end - 4 : end] = zlib.crc32(packed[12 : end - 4]).to_bytes(4, "little")
    with pytest.raises(MalformedFirmware, match="memory usage limit"):
        contents("xz", bytes(packed))


def frame(window: int, *, block: bytes = b"\1\0\0") -> bytes:
    """A frame that states a window by its descriptor, and holds one empty last block."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([window]) + block


def test_a_zstd_window_above_32_mib_is_refused() -> None:
    for descriptor in (0, (25 - 10) << 3):
        assert contents("zstd", frame(descriptor)) == b""
    for descriptor in ((25 - 10) << 3 | 1, 0xFF):
        with pytest.raises(MalformedFirmware, match="window"):
            contents("zstd", frame(descriptor))


def test_a_second_zstd_frame_is_looked_at_before_the_first_is_unpacked() -> None:
    chunks = compressed("zstd").chunks(COMPRESSORS["zstd"](RAW) + frame(0xFF))
    with pytest.raises(MalformedFirmware, match="window"):
        next(chunks)


def test_zstd_frames_that_state_their_size_are_read() -> None:
    codec = pa.Codec("zstd")
    for size in (0, 1, 255, 256, 300, 70_000):
        raw = (RAW * 9)[:size]
        assert contents("zstd", codec.compress(raw, asbytes=True)) == raw
    stated = (MAX_WINDOW + 1).to_bytes(4, "little")
    with pytest.raises(MalformedFirmware, match="window"):
        contents("zstd", b"\x28\xb5\x2f\xfd" + bytes([0xA0]) + stated + b"\1\0\0")


def test_skippable_zstd_frames_are_skipped() -> None:
    skippable = (0x184D2A53).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    packed = COMPRESSORS["zstd"](RAW)
    assert contents("zstd", packed + skippable + packed) == RAW + RAW
    with pytest.raises(MalformedFirmware, match="within its data"):
        contents("zstd", packed + skippable[:-1])


def test_a_reserved_zstd_block_is_refused() -> None:
    with pytest.raises(MalformedFirmware, match="reserved"):
        contents("zstd", frame(0, block=b"\7\0\0"))
