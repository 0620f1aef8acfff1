"""The Authenticode digest of a PE image, as firmware measures an application before it starts it.

Source: edk2 OvmfPkg/Tcg/TdTcg2Dxe/MeasureBootPeCoff.c, MeasurePeImageAndExtend, which follows Microsoft's PE/COFF
specification 8.0, appendix A; nothing is padded.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from catalog.errors import MalformedFirmware

_COFF = struct.Struct("<4sHHIIIHH")
_SECTION_SIZE = 40
_PE32, _PE32_PLUS = 0x10B, 0x20B
_CHECKSUM_AT, _HEADERS_SIZE_AT = 64, 60
_DIRECTORIES_AT = {_PE32: 96, _PE32_PLUS: 112}
_CERTIFICATES = 4
"""The data directory of the signatures, which are not digested."""


def authenticode_sha384(image: bytes) -> bytes:
    """SHA-384 of an image without its checksum and signatures; raises MalformedFirmware for what is no PE image."""
    made = hashlib.sha384()
    try:
        for part in _parts(memoryview(image)):
            made.update(part)
    except (struct.error, KeyError) as error:
        raise MalformedFirmware("this is no PE image: its header is broken") from error
    return made.digest()


def _parts(image: memoryview) -> Iterator[memoryview]:
    """What is digested, in order; raises MalformedFirmware, struct.error and KeyError for a broken header."""
    start = struct.unpack_from("<I", image, 0x3C)[0] if bytes(image[:2]) == b"MZ" else 0
    signature, _, count, _, _, _, optional_size, _ = _COFF.unpack_from(image, start)
    if signature != b"PE\0\0":
        raise MalformedFirmware("this is no PE image: it has no signature 'PE'")
    optional = start + _COFF.size
    directories = optional + _DIRECTORIES_AT[struct.unpack_from("<H", image, optional)[0]]
    (headers,) = struct.unpack_from("<I", image, optional + _HEADERS_SIZE_AT)
    (listed,) = struct.unpack_from("<I", image, directories - 4)
    checksum, entry, signed = optional + _CHECKSUM_AT, directories + 8 * _CERTIFICATES, 0
    yield image[:checksum]
    if listed > _CERTIFICATES:
        signed = struct.unpack_from("<I", image, entry + 4)[0]
        yield image[checksum + 4 : entry]
        yield image[entry + 8 : headers]
    else:
        yield image[checksum + 4 : headers]
    done = headers
    for offset, size in _sections(image, optional + optional_size, count):
        if offset + size > len(image):
            raise MalformedFirmware("this is no PE image: a section ends behind it")
        yield image[offset : offset + size]
        done += size
    if headers > len(image) or done < len(image) < done + signed:
        raise MalformedFirmware("this is no PE image: its headers, sections and signatures do not fit in it")
    yield image[done : max(done, len(image) - signed)]


def _sections(image: memoryview, table: int, count: int) -> list[tuple[int, int]]:
    """Offset and size in the file of each section that has contents, by offset."""
    found = []
    for number in range(count):
        size, offset = struct.unpack_from("<II", image, table + _SECTION_SIZE * number + 16)
        if size:
            found.append((offset, size))
    return sorted(found, key=lambda one: one[0])
