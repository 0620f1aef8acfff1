"""Whether a build enforces kernel hashes: whether the blob verifier is linked into its compressed volume.

Since 2025 edk2 advertises the kernel hashes area in builds with BlobVerifierLibNull, too: then the launch digest covers
the hashes, but the firmware boots any kernel that the host passes.
Source: edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes (the kernel entry GUID is in its code);
PI specification volume 3, EFI_GUID_DEFINED_SECTION; edk2 MdeModulePkg/Library/LzmaCustomDecompressLib.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from enum import StrEnum
from uuid import UUID

from catalog.abi.kernel_table import KERNEL_GUID

LZMA_SECTION = UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf").bytes_le

EXPANSION_LIMIT = 8
"""Volumes that state to unpack to more than this many times the size of the image, in total, are not unpacked.

Published images of 2 MiB unpack to 13 MiB.
"""

_GUID_DEFINED = 0x02
_CHUNK = 1 << 16
_LZMA_HEADER_SIZE = 13


class Enforced(StrEnum):
    """Whether the firmware refuses a kernel that differs from the measured kernel hashes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def kernel_hashes_enforced(image: bytes) -> Enforced:
    """YES if a compressed volume holds the verifier, NO if all volumes unpack and none holds it, else UNKNOWN.

    Memory is limited to EXPANSION_LIMIT times the size of the image. YES means that a verifier is linked, not that it
    works (edk2 before pull request 5769 did not halt on an invalid blob).
    """
    answer, left = Enforced.UNKNOWN, EXPANSION_LIMIT * len(image)
    for packed in _lzma_sections(image):
        answer = _unpacks_to(packed, KERNEL_GUID, limit=left)
        if answer is not Enforced.NO:
            return answer
        left -= _unpacked_size(packed)
    return answer


def _lzma_sections(image: bytes) -> Iterator[bytes]:
    """Contents of every GUID-defined section that is LZMA-compressed; the GUID alone also occurs in code.

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


def _unpacked_size(packed: bytes) -> int:
    """Bytes of the unpacked data, as stated by an LZMA_ALONE stream."""
    return int.from_bytes(packed[5:_LZMA_HEADER_SIZE], "little")


def _unpacks_to(packed: bytes, needle: bytes, *, limit: int) -> Enforced:
    """Whether an LZMA_ALONE stream of at most `limit` bytes unpacked holds `needle`; UNKNOWN if it is damaged."""
    unpacked_size = _unpacked_size(packed)
    if len(packed) < _LZMA_HEADER_SIZE or packed[0] >= 9 * 5 * 5 or not 0 < unpacked_size <= limit:
        return Enforced.UNKNOWN
    literal_bits = {"lc": packed[0] % 9, "lp": packed[0] // 9 % 5, "pb": packed[0] // 45}
    # a dictionary never needs to be larger than the unpacked data, whatever the header states
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": max(4096, unpacked_size), **literal_bits}]
    tail, left, chunk = b"", unpacked_size, packed[_LZMA_HEADER_SIZE:]
    found = Enforced.NO
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        while left:
            part = unpacker.decompress(chunk, min(_CHUNK, left))
            if not part:
                return Enforced.UNKNOWN
            if needle in tail + part:
                found = Enforced.YES
            tail, left, chunk = (tail + part)[-len(needle) :], left - len(part), b""
    except (lzma.LZMAError, ValueError, EOFError):
        return Enforced.UNKNOWN
    return found
