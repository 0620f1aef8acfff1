"""qcow2: every cluster size and compression gives the raw image, and what needs more than the file is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.containers.formats.qcow2 import FORMAT
from catalog.errors import MalformedFirmware
from catalog.firmware.ovmf import MAX_IMAGE_SIZE
from tests.support.container_writers import Qcow2, qcow2
from tests.support.samples import whole_image

RAW = whole_image()
HOLES = RAW[:8192] + bytes(3 * 4096) + RAW[8192:]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("bits", [9, 12, 16, 21])
def test_every_cluster_size_gives_the_raw_image(bits: int, compression: str | None, version: int) -> None:
    assert FORMAT.raw(qcow2(HOLES, Qcow2(cluster_bits=bits, compression=compression, version=version))) == HOLES


@pytest.mark.parametrize("bits", [9, 12])
def test_zstd_clusters_are_read(bits: int) -> None:
    assert FORMAT.raw(qcow2(HOLES, Qcow2(cluster_bits=bits, compression="zstd"))) == HOLES


def test_the_zero_flag_of_a_cluster_means_zeros() -> None:
    assert FORMAT.raw(qcow2(HOLES, Qcow2(cluster_bits=12, zero_flag=True))) == HOLES


def test_a_disk_without_any_cluster_is_zeros() -> None:
    assert FORMAT.raw(qcow2(bytes(8192), Qcow2(cluster_bits=9))) == bytes(8192)


def test_the_last_cluster_of_a_file_may_be_short() -> None:
    image = qcow2(RAW[:6144], Qcow2(cluster_bits=12))
    assert FORMAT.raw(image[:-2048]) == RAW[:6144]


def test_a_size_that_is_no_multiple_of_a_cluster_is_kept() -> None:
    assert FORMAT.raw(qcow2(RAW[:6144], Qcow2(cluster_bits=16))) == RAW[:6144]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (Qcow2(backing=512), "backing file"),
        (Qcow2(crypt=2), "encrypted"),
        (Qcow2(incompatible=1), "dirty bit"),
        (Qcow2(incompatible=2), "corrupt"),
        (Qcow2(incompatible=4), "another file"),
        (Qcow2(incompatible=16), "extended L2"),
        (Qcow2(incompatible=32), "unknown incompatible features, 0x20"),
        (Qcow2(incompatible=8, compression_type=2), "compression type 2"),
        (Qcow2(compression_type=1), "compression type 1"),
        (Qcow2(version=1), "version 1"),
        (Qcow2(version=4), "version 4"),
        (Qcow2(cluster_bits=16, size=MAX_IMAGE_SIZE + 1), "more than 64 MiB"),
        (Qcow2(cluster_bits=9, l1_size=0), "L1 table of 0 entries is too short"),
    ],
)
def test_what_is_not_read_is_refused_by_name(how: Qcow2, why: str) -> None:
    with pytest.raises(MalformedFirmware, match=why):
        FORMAT.raw(qcow2(RAW, how))


@pytest.mark.parametrize("bits", [0, 8, 22, 64, 0xFFFFFFFF])
def test_an_impossible_cluster_size_is_refused(bits: int) -> None:
    image = bytearray(qcow2(RAW))
    struct.pack_into(">I", image, 20, bits)
    with pytest.raises(MalformedFirmware, match="clusters of"):
        FORMAT.raw(bytes(image))


@pytest.mark.parametrize("compression", [None, "deflate", "zstd"])
@given(data=st.data())
def test_a_damaged_image_is_read_or_refused(compression: str | None, data: st.DataObject) -> None:
    image = bytearray(qcow2(RAW, Qcow2(cluster_bits=12, compression=compression)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 120) | st.integers(4096, 4096 + 128) | st.integers(0, len(image) - 1))
        image[at] ^= 1 << data.draw(st.integers(0, 7))
    cut = bytes(image[: data.draw(st.integers(0, len(image)) | st.just(len(image)))])
    try:
        raw = FORMAT.raw(cut)
    except MalformedFirmware:
        return
    assert len(raw) <= MAX_IMAGE_SIZE
