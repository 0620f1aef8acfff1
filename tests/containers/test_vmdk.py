"""vmdk: the kinds that are one sparse file give the raw image, and the others are refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.containers.formats.vmdk import FORMAT
from catalog.errors import MalformedFirmware
from catalog.firmware.ovmf import MAX_IMAGE_SIZE
from tests.support.container_writers import SECTOR, Vmdk, vmdk
from tests.support.samples import whole_image

RAW = whole_image()
HOLES = RAW[:8192] + bytes(3 * 4096) + RAW[8192:]
KINDS = ["monolithicSparse", "streamOptimized"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("grain", "entries"), [(8, 512), (128, 512), (8, 2), (1, 64)])
def test_every_grain_size_gives_the_raw_image(kind: str, grain: int, entries: int) -> None:
    assert FORMAT.raw(vmdk(HOLES, Vmdk(kind=kind, grain=grain, entries=entries))) == HOLES


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (Vmdk(create_type="monolithicFlat"), "monolithicFlat is neither monolithicSparse nor streamOptimized"),
        (Vmdk(create_type="twoGbMaxExtentSparse"), "twoGbMaxExtentSparse"),
        (Vmdk(create_type="vmfs"), "vmfs"),
        (Vmdk(descriptor=False), "one extent of several"),
        (Vmdk(parent="1234abcd"), "parent"),
        (Vmdk(unclean=1), "unclean shutdown"),
        (Vmdk(capacity=MAX_IMAGE_SIZE // SECTOR + 1), "more than 64 MiB"),
        (Vmdk(kind="streamOptimized", algorithm=2), "compression 2"),
    ],
)
def test_what_is_not_read_is_refused_by_name(how: Vmdk, why: str) -> None:
    with pytest.raises(MalformedFirmware, match=why):
        FORMAT.raw(vmdk(RAW, how))


@pytest.mark.parametrize(("offset", "value"), [(20, 0), (20, 32768), (44, 0), (44, 4097)])
def test_impossible_sizes_are_refused(offset: int, value: int) -> None:
    image = bytearray(vmdk(RAW))
    image[offset : offset + 4] = value.to_bytes(4, "little")
    with pytest.raises(MalformedFirmware, match=f"grains of .*{value}.* are not read"):
        FORMAT.raw(bytes(image))


def test_a_stream_without_its_footer_is_refused() -> None:
    image = vmdk(RAW, Vmdk(kind="streamOptimized"))
    with pytest.raises(MalformedFirmware, match="no footer"):
        FORMAT.raw(image[:-SECTOR])


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_damaged_image_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    image = bytearray(vmdk(RAW, Vmdk(kind=kind, grain=8)))
    for _ in range(data.draw(st.integers(1, 4))):
        near_the_end = st.integers(len(image) - 5 * SECTOR, len(image) - 1)
        at = data.draw(st.integers(0, 80) | st.integers(SECTOR, SECTOR + 100) | near_the_end)
        image[at] ^= 1 << data.draw(st.integers(0, 7))
    cut = bytes(image[: data.draw(st.integers(0, len(image)) | st.just(len(image)))])
    try:
        raw = FORMAT.raw(cut)
    except MalformedFirmware:
        return
    assert len(raw) <= MAX_IMAGE_SIZE
