"""SEV metadata of an image: its sections, the kernel hashes area, and why they cannot launch under SNP.

Source: edk2 OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm; QEMU hw/i386/pc_sysfw.c.
"""

from __future__ import annotations

from itertools import pairwise

from catalog.abi.kernel_table import TABLE_SIZE
from catalog.values import IntEnum, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE_SIZE = 4096


class SectionType(IntEnum):
    """Type of a SEV metadata section."""

    SNP_SEC_MEM = 1
    SNP_SECRETS = 2
    CPUID = 3
    SVSM_CAA = 4
    SNP_KERNEL_HASHES = 0x10


_KNOWN_TYPES = frozenset(SectionType)


class Section(Value):
    """A SEV metadata section: guest-physical address and size in bytes. kind: its type, known or not."""

    gpa: int
    size: int
    kind: int

    def __hash__(self) -> int:
        """As that of any Value, and faster: components are keys of caches while a catalog is built."""
        return hash((self.gpa, self.size, self.kind))

    @property
    def end(self) -> int:
        return self.gpa + self.size

    @property
    def name(self) -> str:
        return SectionType(self.kind).name if self.kind in _KNOWN_TYPES else f"type {self.kind:#x}"

    def __str__(self) -> str:
        return f"{self.name}@{self.gpa:#x}+{self.size:#x}"


class Area(Value):
    """The kernel hashes area: guest-physical address and size in bytes. size: None if it is not known."""

    gpa: int
    size: int | None


def metadata_fault(sections: Sequence[Section], *, image_gpa: int, hashes_area: Area | None) -> str | None:
    """Why SEV metadata cannot launch under SNP with any VMM, or None."""
    if not sections:
        return "the image has no SEV metadata"
    for section in sections:
        if fault := _section_fault(section, image_gpa):
            return f"SEV metadata section {section} {fault}"
    ordered = sorted(sections, key=lambda section: section.gpa)
    for before, after in pairwise(ordered):
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
