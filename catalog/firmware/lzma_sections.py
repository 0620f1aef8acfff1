"""Unpacks the LZMA-compressed sections of a firmware image, part by part, in bounded memory.

edk2 compresses the volumes with its PEI and DXE modules into such a section.
Source: PI specification volume 3, EFI_GUID_DEFINED_SECTION; edk2 MdeModulePkg/Library/LzmaCustomDecompressLib.
"""

from __future__ import annotations

import hashlib

from catalog.errors import MalformedFirmware
from catalog.firmware.guid import Guid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LZMA_SECTION = Guid.of("ee4e5898-3914-4259-9d6e-dc7bd79403cf").bytes_le

UNPACKED_LIMIT = 64 << 20
"""Bytes that all sections of one image may unpack to, together. Published images unpack to 13 to 16 MiB."""

DICTIONARY_LIMIT = 32 << 20
"""Bytes of memory for the decoder. edk2's LzmaCompress uses a dictionary of 16 MiB."""

_LEAST_DICTIONARY = 4096  # LZMA_DIC_MIN of the LZMA SDK, which edk2 uses
_GUID_DEFINED = 0x02
_PART = 1 << 16
_HEADER_SIZE = 13


def lzma_sections(image: bytes) -> Iterator[bytes]:
    """The packed contents of every GUID-defined section that is LZMA-compressed; the GUID alone also occurs in code.

    Sections do not overlap, so no byte of a hostile image is unpacked twice.
    """
    after = 0
    while (at := image.find(LZMA_SECTION, after)) >= 0:
        start, after = at - 4, at + 1
        if start < 0 or image[at - 1] != _GUID_DEFINED:
            continue
        size = int.from_bytes(image[start : start + 3], "little")
        data_offset = int.from_bytes(image[at + 16 : at + 18], "little")
        if 4 + 20 <= data_offset < size <= len(image) - start:
            after = start + size
            yield image[start + data_offset : after]


def sections_sha256(image: bytes) -> bytes:
    """SHA-256 of all `lzma_sections` of an image, each after its size: what depends on them alone is known by it."""
    of_all = hashlib.sha256()
    for packed in lzma_sections(image):
        of_all.update(len(packed).to_bytes(8, "little"))
        of_all.update(packed)
    return of_all.digest()


def unpacked_size(packed: bytes) -> int:
    """Bytes that an LZMA_ALONE stream states to unpack to."""
    return int.from_bytes(packed[5:_HEADER_SIZE], "little")


def unpack(packed: bytes, *, limit: int) -> Iterator[bytes]:
    """The contents of an LZMA_ALONE stream in parts of at most 64 KiB.

    limit: bytes that it may unpack to. Raises MalformedFirmware for a stream that states more, that needs a dictionary
    above DICTIONARY_LIMIT, that is damaged or that ends early; parts before the damage may have been given by then.
    """
    import lzma  # only here: most launches are measured without it

    size = unpacked_size(packed)
    if len(packed) < _HEADER_SIZE or packed[0] >= 9 * 5 * 5 or size == 0:
        raise MalformedFirmware("a compressed volume has no valid LZMA header")
    if size > limit:
        raise MalformedFirmware(
            f"a compressed volume states to unpack to {size:,} bytes; the limit of an image is {UNPACKED_LIMIT:,}"
        )
    # a dictionary never needs to be larger than the unpacked data, whatever the header states
    dictionary = min(max(_LEAST_DICTIONARY, int.from_bytes(packed[1:5], "little")), max(_LEAST_DICTIONARY, size))
    if dictionary > DICTIONARY_LIMIT:
        raise MalformedFirmware(
            f"a compressed volume needs a dictionary of {dictionary:,} bytes, more than {DICTIONARY_LIMIT:,}"
        )
    literal_bits = {"lc": packed[0] % 9, "lp": packed[0] // 9 % 5, "pb": packed[0] // 45}
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": dictionary, **literal_bits}]
    left, chunk = size, packed[_HEADER_SIZE:]
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        while left:
            part = unpacker.decompress(chunk, min(_PART, left))
            if not part:
                raise MalformedFirmware("a compressed volume ends early")
            yield part
            left, chunk = left - len(part), b""
    except (lzma.LZMAError, ValueError, EOFError) as error:
        raise MalformedFirmware("a compressed volume is damaged") from error
