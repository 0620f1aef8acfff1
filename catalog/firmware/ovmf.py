"""OvmfImage: the structure of an OVMF image, parsed strictly.

A broken structure is refused here. Well-formed metadata that cannot launch under SNP is kept as it is, so that SEV and
SEV-ES can still be measured; `metadata_fault` gives the reason.
Source: edk2 OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm, Ia16/ResetVectorVtf0.asm; QEMU hw/i386/pc_sysfw.c.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from catalog.abi.kernel_table import TABLE_SIZE
from catalog.errors import MalformedFirmware
from catalog.firmware import guid_table
from catalog.firmware.foreign_files import Foreign, foreign_firmware, foreign_format
from catalog.firmware.volumes import begins_with_volume

PAGE_SIZE = 4096
FOUR_GIB = 1 << 32

MAX_IMAGE_SIZE = 64 << 20
"""Bytes. QEMU maps 8 MiB of firmware below 4 GiB by default; nobody publishes an image near this size."""

RESET_VECTOR_AT = 20
"""Bytes from the end of the signature of edk2's reset vector, just below the 16 bytes at 0xfffffff0."""

_RESET_VECTOR_SIGNATURE = b"VTF\0"
_HEADER = struct.Struct("<4sIII")
_SECTION = struct.Struct("<III")


class SectionType(IntEnum):
    """Type of a SEV metadata section."""

    SNP_SEC_MEM = 1
    SNP_SECRETS = 2
    CPUID = 3
    SVSM_CAA = 4
    SNP_KERNEL_HASHES = 0x10


_KNOWN_TYPES = frozenset(SectionType)


@dataclass(frozen=True, slots=True)
class Section:
    """A SEV metadata section: guest-physical address and size in bytes. kind: its type, known or not."""

    gpa: int
    size: int
    kind: int

    @property
    def end(self) -> int:
        return self.gpa + self.size

    @property
    def name(self) -> str:
        return SectionType(self.kind).name if self.kind in _KNOWN_TYPES else f"type {self.kind:#x}"

    def __str__(self) -> str:
        return f"{self.name}@{self.gpa:#x}+{self.size:#x}"


@dataclass(frozen=True, slots=True)
class Area:
    """The kernel hashes area: guest-physical address and size in bytes. size: None if it is not known."""

    gpa: int
    size: int | None


@dataclass(frozen=True, slots=True)
class OvmfImage:
    """An OVMF image as it is mapped for launch: it ends at 4 GiB.

    table: GUID table entries; empty for images of edk2 before stable202011.
    reset_vector: EIP of an AP, from the SEV-ES reset block; None without one.
    hashes_area: None if the build takes no kernel hashes.
    sections: SEV metadata in file order; empty without metadata.
    """

    data: bytes
    table: Mapping[UUID, bytes]
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


def metadata_fault(sections: Sequence[Section], *, image_gpa: int, hashes_area: Area | None) -> str | None:
    """Why SEV metadata cannot launch under SNP with any VMM, or None."""
    if not sections:
        return "the image has no SEV metadata"
    for section in sections:
        if fault := _section_fault(section, image_gpa):
            return f"SEV metadata section {section} {fault}"
    ordered = sorted(sections, key=lambda section: section.gpa)
    for before, after in itertools.pairwise(ordered):
        if before.end > after.gpa:
            return f"SEV metadata sections {before} and {after} overlap"
    hashes_pages = [s for s in sections if s.kind == SectionType.SNP_KERNEL_HASHES]
    if len(hashes_pages) > 1:
        return "SEV metadata has more than one kernel hashes section"
    if hashes_pages and hashes_area and not _lies_in(hashes_area, hashes_pages[0]):
        return f"the kernel hashes area at {hashes_area.gpa:#x} lies outside its page, {hashes_pages[0]}"
    return None


def _section_fault(section: Section, image_gpa: int) -> str | None:
    if section.kind not in _KNOWN_TYPES:
        return "is of an unknown type"
    if section.size == 0:
        return "has no size"
    if section.gpa % PAGE_SIZE or section.size % PAGE_SIZE:
        return "is not page aligned"
    if section.end > image_gpa:
        return "reaches into the firmware"
    one_page = (SectionType.CPUID, SectionType.SNP_KERNEL_HASHES)
    if section.kind in one_page and section.size != PAGE_SIZE:
        # QEMU measures a CPUID section page by page, every other implementation its first page alone
        return "is not one page, and implementations disagree on what is then measured"
    return None


def _lies_in(area: Area, page: Section) -> bool:
    return page.gpa <= area.gpa and area.gpa + (area.size or TABLE_SIZE) <= page.end


def _u32s(table: Mapping[UUID, bytes], guid: UUID, count: int) -> tuple[int, ...] | None:
    if (data := table.get(guid)) is None:
        return None
    if len(data) != 4 * count:
        name = guid_table.NAMES[guid]
        raise MalformedFirmware(f"GUID table: the {name} holds {len(data)} bytes, not {4 * count}")
    return struct.unpack(f"<{count}I", data)


def _reset_vector(table: Mapping[UUID, bytes]) -> int | None:
    values = _u32s(table, guid_table.SEV_ES_RESET_BLOCK, 1)
    return values[0] if values else None


def _hashes_area(table: Mapping[UUID, bytes]) -> Area | None:
    values = _u32s(table, guid_table.SEV_HASHES_AREA, 2)
    if values is None or values[0] == 0:  # base 0 is how a build says that it takes none
        return None
    return Area(*values)


def _sections(data: bytes, table: Mapping[UUID, bytes]) -> tuple[Section, ...]:
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
