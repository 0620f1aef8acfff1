"""TDVF metadata of an image: the memory that a TD is built of, section by section, read strictly and within bounds.

Source: Intel TDX Virtual Firmware Design Guide, 11 (TDVF metadata); edk2 OvmfPkg/ResetVector/X64/IntelTdxMetadata.asm;
QEMU hw/i386/tdvf.c.
"""

from __future__ import annotations

import struct
from itertools import pairwise

from catalog.errors import MalformedFirmware
from catalog.firmware.guid_table import TDX_METADATA
from catalog.firmware.metadata import PAGE_SIZE
from catalog.values import IntEnum, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.firmware.ovmf import OvmfImage

MR_EXTEND, PAGE_AUG = 1, 2
"""Bits of a section's attributes: its contents are measured; its pages are not added when the TD is built."""

MAX_SECTIONS = 64
MAX_MEMORY = 64 << 20
"""Bytes of all sections: far above what published images ask for."""

_HEADER = struct.Struct("<4sIII")
_SECTION = struct.Struct("<IIQQII")
_TYPES = 7
_ADDRESSES = 1 << 52


class TdvfSectionType(IntEnum):
    """Type of a TDVF section."""

    BFV = 0
    CFV = 1
    TD_HOB = 2
    TEMP_MEM = 3
    PERM_MEM = 4
    PAYLOAD = 5
    PAYLOAD_PARAM = 6


_WITH_CONTENTS = (TdvfSectionType.BFV, TdvfSectionType.CFV, TdvfSectionType.PAYLOAD)


class TdvfSection(Value):
    """A TDVF section.

    kind: TdvfSectionType. data_offset, raw_size: of its contents in the combined image, in bytes; 0 and 0: none.
    gpa, size: the memory that it is loaded to; what is beyond the contents is zero. attributes: MR_EXTEND, PAGE_AUG.
    """

    kind: int
    data_offset: int
    raw_size: int
    gpa: int
    size: int
    attributes: int

    @property
    def name(self) -> str:
        return TdvfSectionType(self.kind).name

    @property
    def end(self) -> int:
        return self.gpa + self.size

    def to_dict(self) -> dict[str, object]:
        """In the JSON of `ldcat inspect`: addresses and sizes in bytes."""
        return {
            "type": self.name,
            "gpa": self.gpa,
            "size": self.size,
            "data_offset": self.data_offset,
            "raw_size": self.raw_size,
            "measured": bool(self.attributes & MR_EXTEND),
            "added_later": bool(self.attributes & PAGE_AUG),
        }

    def __str__(self) -> str:
        return f"{self.name}@{self.gpa:#x}+{self.size:#x}"


def read_tdvf(image: OvmfImage) -> tuple[TdvfSection, ...]:
    """The sections in the order of the metadata; raises MalformedFirmware, naming the broken field, or without any."""
    pointer = image.table.get(TDX_METADATA)
    if pointer is None:
        raise MalformedFirmware("the image has no TDVF metadata")
    if len(pointer) != 4:
        raise MalformedFirmware(f"TDVF metadata: the pointer holds {len(pointer)} bytes, not 4")
    offset = int.from_bytes(pointer, "little")
    if not _HEADER.size <= offset <= len(image.data):
        raise MalformedFirmware(f"TDVF metadata: offset {offset:#x} before the end is not inside the image")
    start = len(image.data) - offset
    magic, length, version, count = _HEADER.unpack_from(image.data, start)
    if magic != b"TDVF":
        raise MalformedFirmware("TDVF metadata: the signature is not 'TDVF'")
    if version != 1:
        raise MalformedFirmware(f"TDVF metadata: version {version} is not 1")
    if length != _HEADER.size + count * _SECTION.size or length > offset:
        raise MalformedFirmware(f"TDVF metadata: length {length} is not that of {count} sections, or not in the image")
    if count > MAX_SECTIONS:
        raise MalformedFirmware(f"TDVF metadata: more than {MAX_SECTIONS} sections")
    sections = tuple(TdvfSection(*_fields(each)) for each in _SECTION.iter_unpack(image.data[start:][16:length]))
    for number, section in enumerate(sections):
        if fault := section_fault(section):
            raise MalformedFirmware(f"TDVF metadata: section {number}: {fault}")
    check_sections(sections)
    _check_contents(sections, len(image.data))
    return sections


def bytes_before_image(sections: Sequence[TdvfSection], size: int) -> int:
    """Bytes of the combined image that come before a file: those of the variable store, for a CODE file."""
    return max(one.data_offset + one.raw_size for one in sections) - size


def section_contents(section: TdvfSection, image: bytes, before: int) -> memoryview | None:
    """The contents in the file; None if they are in another one. before: of `bytes_before_image`."""
    begin = section.data_offset - before
    return memoryview(image)[begin : begin + section.raw_size] if begin >= 0 else None


def _fields(raw: tuple[int, ...]) -> tuple[int, ...]:
    data_offset, raw_size, gpa, size, kind, attributes = raw
    return kind, data_offset, raw_size, gpa, size, attributes


def section_fault(section: TdvfSection) -> str | None:
    """What is wrong with a section by itself, naming the field."""
    if section.kind >= _TYPES:
        return f"unknown type {section.kind}"
    what, has_contents = section.name, section.kind in _WITH_CONTENTS
    if section.attributes & ~(MR_EXTEND | PAGE_AUG):
        return f"{what}: unknown bits in attributes {section.attributes:#x}"
    if has_contents and not section.raw_size:
        return f"{what}: raw_size is 0"
    if not has_contents and (section.raw_size or section.data_offset):
        return (
            f"{what}: it has no contents, but raw_size {section.raw_size:#x} and data_offset {section.data_offset:#x}"
        )
    if section.gpa % PAGE_SIZE or section.gpa >= _ADDRESSES:
        return f"{what}: address {section.gpa:#x} is not that of a page"
    if not section.size or section.size % PAGE_SIZE:
        return f"{what}: size {section.size:#x} is not that of pages"
    if section.raw_size > section.size:
        return f"{what}: raw_size {section.raw_size:#x} is more than size {section.size:#x}"
    return None


def check_sections(sections: Sequence[TdvfSection]) -> None:
    """Raises MalformedFirmware for sections that do not go together, whatever the image is."""
    kinds = [one.kind for one in sections]
    if kinds.count(TdvfSectionType.BFV) < 1 or kinds.count(TdvfSectionType.TD_HOB) != 1:
        raise MalformedFirmware("TDVF metadata: it needs a section BFV and one section TD_HOB")
    if sum(one.size for one in sections) > MAX_MEMORY:
        raise MalformedFirmware(f"TDVF metadata: sections of more than {MAX_MEMORY >> 20} MiB")
    ordered = sorted(sections, key=lambda one: one.gpa)
    for one, other in pairwise(ordered):
        if one.end > other.gpa:
            raise MalformedFirmware(f"TDVF metadata: sections {one} and {other} overlap")


def _check_contents(sections: Sequence[TdvfSection], image_size: int) -> None:
    """Raises MalformedFirmware for a BFV that is not in the image."""
    before = bytes_before_image(sections, image_size)
    for one in sections:
        if one.kind == TdvfSectionType.BFV and (before < 0 or one.data_offset < before):
            raise MalformedFirmware(f"TDVF metadata: {one}: data_offset {one.data_offset:#x} is not inside the image")
