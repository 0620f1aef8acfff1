"""The GUID footer table of an OVMF image: a bounded, strict walk from its end towards its start.

Source: edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.nasm.inc; QEMU hw/i386/pc_sysfw_ovmf.c.
"""

from __future__ import annotations

from catalog.errors import MalformedFirmware
from catalog.firmware.guid import Guid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FOOTER = Guid.of("96b582de-1fb2-45f7-baea-a366c55a082d")
SEV_ES_RESET_BLOCK = Guid.of("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
SEV_HASHES_AREA = Guid.of("7255371f-3a3b-4b04-927b-1da6efa8d454")
SEV_SECRET_AREA = Guid.of("4c2eb361-7d9b-4cc3-8081-127c90d3d294")
SEV_METADATA = Guid.of("dc886566-984a-4798-a75e-5585a7bf67cc")
TDX_METADATA = Guid.of("e47a6535-984a-4798-865e-4685a7bf8ec2")
IGVM_METADATA = Guid.of("784fa70e-3176-4677-8a20-04b68699e374")
SVSM_INFO = Guid.of("a789a612-0597-4c4b-a49f-cbb1fe9d1ddd")

NAMES = {
    SEV_ES_RESET_BLOCK: "SEV-ES reset block",
    SEV_HASHES_AREA: "SEV kernel hashes area",
    SEV_SECRET_AREA: "SEV launch secret area",
    SEV_METADATA: "SEV metadata pointer",
    TDX_METADATA: "TDX metadata pointer",
    IGVM_METADATA: "IGVM metadata pointer",
    SVSM_INFO: "SVSM info",
}

END_GAP = 32
"""Bytes between the end of the table and the end of the image: the reset vector's code."""

_TRAILER_SIZE = 18  # u16 length and GUID, after the data of each entry


def has_footer(image: bytes) -> bool:
    """Whether the GUID of the footer is where a table ends."""
    end = len(image) - END_GAP
    return end >= _TRAILER_SIZE and image[end - 16 : end] == FOOTER.bytes_le


def read_guid_table(image: bytes) -> Mapping[Guid, bytes] | None:
    """Data of each entry by GUID, in the order of the walk; None if the image has no footer.

    Raises MalformedFirmware for a table longer than the image, an entry length below 18 or beyond the table, bytes left
    over, and a GUID that occurs twice (readers differ in which of the two they use).
    """
    if not has_footer(image):
        return None
    end = len(image) - END_GAP
    total = _u16(image, end - _TRAILER_SIZE)
    if total < _TRAILER_SIZE:
        raise MalformedFirmware(f"GUID table: length {total} is less than its own footer's 18 bytes")
    if total > end:
        raise MalformedFirmware(f"GUID table: {total} bytes do not fit the image")
    start, at = end - total, end - _TRAILER_SIZE
    entries: dict[Guid, bytes] = {}
    while at > start:
        left = at - start
        if left < _TRAILER_SIZE:
            raise MalformedFirmware(f"GUID table: truncated, {left} bytes are no entry")
        length = _u16(image, at - _TRAILER_SIZE)
        if not _TRAILER_SIZE <= length <= left:
            raise MalformedFirmware(f"GUID table: entry length {length} is not between 18 and {left}")
        guid = Guid(image[at - 16 : at])
        if guid in entries:
            raise MalformedFirmware(f"GUID table: {guid} stands twice")
        entries[guid] = image[at - length : at - _TRAILER_SIZE]
        at -= length
    return entries


def read_standalone_reset_block(image: bytes) -> int | None:
    """The AP reset address of edk2 images of 2020, which have the reset block alone where the table ends today.

    {u32 address, u16 length = 22, GUID}. Source: QEMU target/i386/sev.c, sev_es_find_reset_vector.
    """
    end = len(image) - END_GAP
    if end < 22 or image[end - 16 : end] != SEV_ES_RESET_BLOCK.bytes_le:
        return None
    if _u16(image, end - _TRAILER_SIZE) != 22:
        raise MalformedFirmware("the stand-alone SEV-ES reset block is not 22 bytes long")
    return int.from_bytes(image[end - 22 : end - _TRAILER_SIZE], "little")


def _u16(image: bytes, offset: int) -> int:
    return int.from_bytes(image[offset : offset + 2], "little")
