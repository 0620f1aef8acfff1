"""PE images and kernels for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_START, _HEADERS = 0x80, 0x400


def pe_image(
    *,
    magic: int = 0x20B,
    checksum: int = 0,
    sections: Sequence[bytes] = (b"code" * 50, b"", b"data" * 9),
    reverse: bool = False,
    directories: int = 16,
    signatures: bytes = b"",
    stated: int | None = None,
    headers: int = _HEADERS,
    behind: bytes = b"",
) -> bytes:
    """An image. reverse: the last section comes first in the file. stated: bytes of the signatures. behind: them."""
    at = 96 if magic == 0x10B else 112
    optional = bytearray(at + 8 * 16)
    struct.pack_into("<H", optional, 0, magic)
    struct.pack_into("<II", optional, 60, headers, checksum)
    struct.pack_into("<I", optional, at - 4, directories)
    if directories > 4:
        size = len(signatures) if stated is None else stated
        struct.pack_into("<II", optional, at + 32, 0, size)
    image = bytearray(b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", _START)).ljust(_START, b"\0")
    image += struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(sections), 0, 0, 0, len(optional), 0) + optional
    contents, offsets = b"", {}
    for number in reversed(range(len(sections))) if reverse else range(len(sections)):
        offsets[number] = _HEADERS + len(contents)
        contents += sections[number]
    for number, section in enumerate(sections):
        image += struct.pack("<8sIIII16x", b"", 0, 0, len(section), offsets[number])
    return bytes(image.ljust(_HEADERS, b"\0")) + contents + behind + signatures


def kernel_image(*, protocol: int = 0x20F, loadflags: int = 1, xlf: int = 0x7F) -> bytes:
    """The head of a Linux kernel that is a PE image, too."""
    kernel = bytearray(pe_image(sections=(bytes(0x1000),)))
    kernel[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", kernel, 0x206, protocol)
    kernel[0x211] = loadflags
    struct.pack_into("<II", kernel, 0x218, 0, 0)
    struct.pack_into("<I", kernel, 0x22C, 0x37FFFFFF)
    struct.pack_into("<H", kernel, 0x236, xlf)
    return bytes(kernel)
