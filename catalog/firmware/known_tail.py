"""Which known images an unknown one ends with: combined images are a variable store, then the code of a CODE image.

Source: edk2 OvmfPkg/OvmfPkgX64.fdf and VarStore.fdf.inc (the layout of OVMF.fd); PI specification volume 3,
EFI_FIRMWARE_VOLUME_HEADER; edk2 MdeModulePkg/Include/Guid/SystemNvDataGuid.h.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from catalog.firmware.build import FirmwareBuild

HASHED_LIMIT = 256 << 20
"""Bytes that are hashed for one image at most, the longest tails first."""

_NV_DATA = UUID("fff12b8d-7696-4c8b-a985-2747075b4f50").bytes_le
_VOLUME_HEADER_SIZE = 0x38


@dataclass(frozen=True, slots=True)
class KnownTail:
    """The end of an image that is a known image.

    size: bytes.
    builds: names of the builds with these bytes, ascending.
    """

    size: int
    builds: tuple[str, ...]


def known_tails(image: bytes, builds: Iterable[FirmwareBuild]) -> list[KnownTail]:
    """The known images that `image` ends with, the longest first; not the image itself."""
    names: dict[int, dict[bytes, list[str]]] = defaultdict(lambda: defaultdict(list))
    for build in builds:
        if build.component.size < len(image):
            names[build.component.size][build.component.sha256].append(build.name)
    tails, left = [], HASHED_LIMIT
    for size in sorted(names, reverse=True):
        left -= size
        if left < 0:
            break
        if found := names[size].get(hashlib.sha256(memoryview(image)[-size:]).digest()):
            tails.append(KnownTail(size, tuple(sorted(found))))
    return tails


def variable_store_size(image: bytes) -> int | None:
    """Bytes of the variable store that an image begins with, from its volume header; None if it begins with another.

    A header that states no byte or the whole image is none.
    """
    if len(image) < _VOLUME_HEADER_SIZE or image[0x10:0x20] != _NV_DATA or image[0x28:0x2C] != b"_FVH":
        return None
    size = int.from_bytes(image[0x20:0x28], "little")
    return size if _VOLUME_HEADER_SIZE <= size < len(image) else None
