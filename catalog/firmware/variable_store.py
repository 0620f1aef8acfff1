"""The variable store that a combined image begins with, and the code that follows it.

Source: edk2 OvmfPkg/OvmfPkgX64.fdf and VarStore.fdf.inc (the layout of OVMF.fd); PI specification volume 3,
EFI_FIRMWARE_VOLUME_HEADER; edk2 MdeModulePkg/Include/Guid/SystemNvDataGuid.h.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from catalog.firmware.volumes import VARIABLE_STORE, begins_with_volume

_VOLUME_HEADER_SIZE = 0x38


@dataclass(frozen=True, slots=True)
class Code:
    """What follows the variable store of a combined image: its size in bytes, and its SHA-256."""

    size: int
    sha256: bytes


def variable_store_size(image: bytes) -> int | None:
    """Bytes of the variable store that an image begins with, from its volume header; None if it begins with another.

    A header that states less than itself, or the whole image, is none.
    """
    if len(image) < _VOLUME_HEADER_SIZE or image[0x10:0x20] != VARIABLE_STORE.bytes_le or not begins_with_volume(image):
        return None
    size = int.from_bytes(image[0x20:0x28], "little")
    return size if _VOLUME_HEADER_SIZE <= size < len(image) else None


def code_of(image: bytes) -> Code | None:
    """The code of a combined image; None if the image begins with no variable store."""
    store = variable_store_size(image)
    if store is None:
        return None
    code = memoryview(image)[store:]
    return Code(len(code), hashlib.sha256(code).digest())
