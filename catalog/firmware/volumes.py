"""Firmware volumes: the headers of UEFI images, read as far as it takes to tell what an image is.

Source: PI specification volume 3, EFI_FIRMWARE_VOLUME_HEADER and EFI_FFS_FILE_HEADER.
"""

from __future__ import annotations

import struct

from catalog.firmware.guid import Guid
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE_STORE = Guid.of("fff12b8d-7696-4c8b-a985-2747075b4f50")
"""EFI_SYSTEM_NV_DATA_FV_GUID: the "file system" of a volume that holds variables."""

SIGNATURE = b"_FVH"
SIGNATURE_AT = 0x28

MAX_VOLUMES = 64
MAX_FILES = 4096
"""Volumes of an image, and files of a volume, that are looked at. OVMF has 4 volumes at its top level."""

_HEADER = struct.Struct("<16x16sQ4sIHHH")
_FILE_HEADER_SIZE = 24
_LARGE_FILE_HEADER_SIZE = 32
_LARGE_FILE = 0x01


class Volume(Value):
    """A firmware volume. start, end: offsets in the image. files: where its first file begins. filesystem: its GUID."""

    start: int
    end: int
    files: int
    filesystem: Guid


def begins_with_volume(image: bytes) -> bool:
    """Whether an image begins with a firmware volume, as every image of edk2 for x86 does."""
    return image[SIGNATURE_AT : SIGNATURE_AT + 4] == SIGNATURE


def first_volume(image: bytes) -> Volume | None:
    """The volume at the start of an image."""
    return _volume(image, 0) if begins_with_volume(image) else None


def volumes(image: bytes) -> Iterator[Volume]:
    """The volumes of an image in order, those inside others left out; at most MAX_VOLUMES."""
    after = SIGNATURE_AT
    for _ in range(MAX_VOLUMES):
        if (at := image.find(SIGNATURE, after)) < 0:
            return
        volume = _volume(image, at - SIGNATURE_AT)
        if volume:
            yield volume
        after = volume.end + SIGNATURE_AT if volume else at + 1


def files(image: bytes, volume: Volume) -> Iterator[bytes]:
    """The contents of each file of a volume, without its header; at most MAX_FILES."""
    at = volume.files
    for _ in range(MAX_FILES):
        at += -(at - volume.start) % 8
        header = image[at : at + _LARGE_FILE_HEADER_SIZE]
        size, begin = int.from_bytes(header[20:23], "little"), _FILE_HEADER_SIZE
        if header[19:20] and header[19] & _LARGE_FILE:
            size, begin = int.from_bytes(header[24:32], "little"), _LARGE_FILE_HEADER_SIZE
        if not begin <= size <= volume.end - at:
            return
        yield image[at + begin : at + size]
        at += size


def _volume(image: bytes, start: int) -> Volume | None:
    """The volume whose header is at `start`; None if there is no valid header."""
    if start + _HEADER.size > len(image):
        return None
    filesystem, length, _, _, header_size, _, extension = _HEADER.unpack_from(image, start)
    if not _HEADER.size <= header_size <= length <= len(image) - start:
        return None
    begin = start + header_size
    if extension:  # a further header, before the first file
        begin = start + extension + int.from_bytes(image[start + extension + 16 : start + extension + 20], "little")
    return Volume(start, start + length, begin, Guid(filesystem))
