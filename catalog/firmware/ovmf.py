"""OvmfImage: the structure of an OVMF image, parsed strictly.

A broken structure is refused here. Well-formed metadata that cannot launch under SNP is kept as it is, so that SEV and
SEV-ES can still be measured; `metadata_fault` of metadata.py gives the reason.
Source: edk2 OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm, Ia16/ResetVectorVtf0.asm; QEMU hw/i386/pc_sysfw.c.
"""

from __future__ import annotations

import struct

from catalog.errors import MalformedFirmware
from catalog.firmware import guid_table
from catalog.firmware.foreign_files import Foreign, foreign_firmware, foreign_format
from catalog.firmware.metadata import PAGE_SIZE, Area, Section
from catalog.firmware.volumes import begins_with_volume
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.firmware.guid import Guid

FOUR_GIB = 1 << 32

MAX_IMAGE_SIZE = 64 << 20
"""Bytes. QEMU maps 8 MiB of firmware below 4 GiB by default; nobody publishes an image near this size."""

RESET_VECTOR_AT = 20
"""Bytes from the end of the signature of edk2's reset vector, just below the 16 bytes at 0xfffffff0."""

_RESET_VECTOR_SIGNATURE = b"VTF\0"
_HEADER = struct.Struct("<4sIII")
_SECTION = struct.Struct("<III")


class OvmfImage(Value):
    """An OVMF image as it is mapped for launch: it ends at 4 GiB.

    table: GUID table entries; empty for images of edk2 before stable202011.
    reset_vector: EIP of an AP, from the SEV-ES reset block; None without one.
    hashes_area: None if the build takes no kernel hashes.
    sections: SEV metadata in file order; empty without metadata.
    """

    data: bytes
    table: Mapping[Guid, bytes]
    reset_vector: int | None
    hashes_area: Area | None
    sections: tuple[Section, ...]

    @property
    def gpa(self) -> int:
        """Guest-physical address of the first byte."""
        return FOUR_GIB - len(self.data)

    @classmethod
    def parse(cls, data: bytes) -> OvmfImage:
        """Read an image; raises MalformedFirmware if its structure is broken or it is not an OVMF image.

        An image has a GUID table; or, in edk2 before stable202011, a firmware volume and a reset vector without one.
        """
        if foreign := foreign_format(data):
            raise _not_an_image(foreign)
        if not data or len(data) % PAGE_SIZE:
            raise MalformedFirmware(f"{len(data)} bytes are not whole pages of 4096 bytes")
        if len(data) > MAX_IMAGE_SIZE:
            raise MalformedFirmware(f"{len(data)} bytes are more than a firmware image of 64 MiB")
        table = guid_table.read_guid_table(data)
        if table is None:
            if foreign := foreign_firmware(data):
                raise _not_an_image(foreign)
            if not ends_as_image(data):
                raise MalformedFirmware(
                    "not an OVMF image: it has no GUID table, nor a firmware volume at its start and a reset vector",
                    "give the CODE or combined file of OVMF, not VARS, complete and unchanged",
                )
            return cls(data, {}, guid_table.read_standalone_reset_block(data), None, ())
        return cls(
            data,
            table,
            _reset_vector(table),
            _hashes_area(table),
            _sections(data, table),
        )


def ends_as_image(data: bytes) -> bool:
    """Whether `data` has what tells an image from other files: a GUID table, or a volume and edk2's reset vector."""
    if guid_table.has_footer(data):
        return True
    return begins_with_volume(data) and data[-RESET_VECTOR_AT:][:4] == _RESET_VECTOR_SIGNATURE


def _not_an_image(foreign: Foreign) -> MalformedFirmware:
    return MalformedFirmware(f"not an OVMF image, but {foreign.what}", foreign.hint)


def _u32s(table: Mapping[Guid, bytes], guid: Guid, count: int) -> tuple[int, ...] | None:
    if (data := table.get(guid)) is None:
        return None
    if len(data) != 4 * count:
        name = guid_table.NAMES[guid]
        raise MalformedFirmware(f"GUID table: the {name} holds {len(data)} bytes, not {4 * count}")
    return struct.unpack(f"<{count}I", data)


def _reset_vector(table: Mapping[Guid, bytes]) -> int | None:
    values = _u32s(table, guid_table.SEV_ES_RESET_BLOCK, 1)
    return values[0] if values else None


def _hashes_area(table: Mapping[Guid, bytes]) -> Area | None:
    values = _u32s(table, guid_table.SEV_HASHES_AREA, 2)
    if values is None or values[0] == 0:  # base 0 is how a build says that it takes none
        return None
    return Area(*values)


def _sections(data: bytes, table: Mapping[Guid, bytes]) -> tuple[Section, ...]:
    values = _u32s(table, guid_table.SEV_METADATA, 1)
    if values is None:
        return ()
    offset = values[0]
    if not _HEADER.size <= offset <= len(data):
        raise MalformedFirmware(f"SEV metadata: {offset} bytes before the end is not inside the image")
    start = len(data) - offset
    magic, length, version, count = _HEADER.unpack_from(data, start)
    if magic != b"ASEV":
        raise MalformedFirmware("SEV metadata: the magic is not 'ASEV'")
    if version != 1:
        raise MalformedFirmware(f"SEV metadata: version {version} is not 1")
    if length > offset:
        raise MalformedFirmware(f"SEV metadata: truncated, {length} bytes do not fit the image")
    if length != _HEADER.size + count * _SECTION.size:
        raise MalformedFirmware(f"SEV metadata: {count} sections do not make {length} bytes")
    items = data[start + _HEADER.size : start + length]
    return tuple(Section(*fields) for fields in _SECTION.iter_unpack(items))
