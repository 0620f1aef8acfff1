"""What must hold of each variable header of an IGVM file: order, alignment, reserved bits, offsets, and sizes.

Source: microsoft/igvm igvm/src/lib.rs at e6c3ff1, and the text of igvm_defs/src/lib.rs where that checks nothing.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from catalog.errors import MalformedFirmware
from catalog.firmware.igvm import igvm_layout as layout
from catalog.firmware.igvm.igvm_layout import (
    Content,
    SupportedPlatform,
)
from catalog.firmware.igvm.igvm_types import HeaderType, Part
from catalog.firmware.igvm.page_run import PageRun
from catalog.firmware.metadata import PAGE_SIZE

MAX_PAGES = 1 << 21
"""Pages of 4096 bytes that a file imports for all its platforms together: 8 GiB."""

MAX_CONTEXTS = 4096
"""VP contexts of all platforms together."""

MAX_CHANGES = 1 << 16
"""Places where pages that follow one another have another mask, flags or data type."""

_LARGE_PAGE = 1 << 21
_REGION_FLAGS = 7
_ADDRESSES = 1 << 64
_PLATFORM_TYPES = 7
_PLATFORM_VERSION = 1
_DATA_TYPES = 4
_PAGE_DATA, _PAGE_HEADER = HeaderType.PAGE_DATA.value, 32
_IN_PAGE = PAGE_SIZE - 1
_SMALL_PAGE_FLAGS = layout.UNMEASURED | layout.SHARED


class Checks:
    """The checks of one file, which are given its headers in their order.

    undeclared: bits of masks that are those of no platform, so far.
    """

    def __init__(self, data_begin: int, data_end: int) -> None:
        """data_begin, data_end: of the file data, as offsets in the file."""
        self.undeclared = 0
        self._data_begin, self._data_end, self._last_page = data_begin, data_end, data_end - PAGE_SIZE
        self._part = Part.PLATFORM
        self._platforms: list[SupportedPlatform] = []
        self._declared = self._policies = self._id_blocks = self._pages = self._contexts = self._changes = 0
        self._areas: dict[int, int] = {}
        self._inserted: set[int] = set()

    def check(self, kind: int, content: Content, at: int) -> None:
        """Check a header. at: its offset in the file. Raises MalformedFirmware."""
        part = Part.DIRECTIVE if kind > 0x200 else Part.INITIALIZATION if kind > 0x100 else Part.PLATFORM
        if part < self._part:
            raise MalformedFirmware(f"the {HeaderType(kind).name} header at {at:#x} comes after those of a later part")
        self._part = part
        if fault := _CHECKS[type(content)](self, content):
            raise MalformedFirmware(f"the {HeaderType(kind).name} header at {at:#x} {fault}")
        self.undeclared |= getattr(content, "mask", 0) & ~self._declared

    def end(self) -> tuple[SupportedPlatform, ...]:
        """The platforms, once all headers were checked. Raises MalformedFirmware if there is none."""
        if not self._platforms:
            raise MalformedFirmware("the file is for no platform")
        return tuple(self._platforms)

    def check_run(self, run: PageRun, at: int) -> None:
        """Check pages. at: offset of the first. As `check`."""
        self._changes += sum(1 for _ in run.uniform_parts())
        if self._changes > MAX_CHANGES:
            raise MalformedFirmware(f"mask, flags or data type of pages change more than {MAX_CHANGES:,} times")
        if self._are_usual(run):
            self._pages += len(run.gpas)
            self._part = Part.DIRECTIVE
            return
        for number, page in enumerate(run.each()):
            self.check(_PAGE_DATA, page, at + number * _PAGE_HEADER)

    def _are_usual(self, run: PageRun) -> bool:
        """Whether nothing is special about pages, as of most in a file."""
        offsets = [offset for offset in {*run.file_offsets} if offset]
        return (
            all(flags & ~_SMALL_PAGE_FLAGS == 0 for flags in {*run.flags})
            and all(mask & ~self._declared == 0 for mask in {*run.masks})
            and all(data_type < _DATA_TYPES for data_type in {*run.data_types})
            and not any(run.reserved)
            and not reduce(or_, run.gpas) & _IN_PAGE
            and self._data_begin <= min(offsets, default=self._data_begin)
            and max(offsets, default=0) <= self._last_page
            and self._pages + len(run.gpas) <= MAX_PAGES
        )

    def _platform(self, one: SupportedPlatform) -> str | None:
        if one.mask.bit_count() != 1 or one.mask & self._declared:
            return f"has the mask {one.mask:#x}, and not one bit of its own"
        if one.platform >= _PLATFORM_TYPES or one.version != _PLATFORM_VERSION:
            return f"is for the unknown platform {one.platform}, version {one.version}"
        if any(one.platform == other.platform for other in self._platforms):
            return "is for the platform of another one"
        self._declared |= one.mask
        self._platforms.append(one)
        return None

    def _policy(self, one: layout.GuestPolicy) -> str | None:
        if one.mask & self._policies:
            return "is the second one of a platform"
        self._policies |= one.mask
        return _reserved(one.reserved)

    def _region(self, one: layout.RelocatableRegion) -> str | None:
        return _reserved(one.flags & ~_REGION_FLAGS) or _unaligned(one.gpa, one.size)

    def _page_tables(self, one: layout.PageTableRelocation) -> str | None:
        if one.used_size > one.size:
            return f"uses {one.used_size:#x} bytes of {one.size:#x}"
        return _reserved(one.reserved) or _unaligned(one.gpa, one.size)

    def _corim(self, one: layout.Corim) -> str | None:
        return _reserved(one.reserved) or self._lacks(one.file_offset, one.size)

    def _cca_policy(self, one: layout.CcaPolicy) -> str | None:
        return _reserved(one.reserved or any(one.reserved_too))

    def _area(self, one: layout.ParameterArea) -> str | None:
        if one.area in self._areas:
            return f"is the second one of area {one.area}"
        self._areas[one.area] = one.size
        if not one.size or one.size % PAGE_SIZE:
            return f"has {one.size:#x} bytes, which are not whole pages"
        return self._lacks(one.file_offset, one.size) if one.file_offset else None

    def _page(self, one: layout.PageData) -> str | None:
        size = _LARGE_PAGE if one.flags & layout.IS_2MB else PAGE_SIZE
        if one.gpa % size or one.gpa + size > _ADDRESSES:
            return f"has the address {one.gpa:#x}, where no page of {size:#x} bytes is"
        if one.flags > layout.IS_2MB | _SMALL_PAGE_FLAGS or one.data_type >= _DATA_TYPES:
            return f"has unknown flags {one.flags:#x} or the unknown data type {one.data_type}"
        if size != PAGE_SIZE and one.file_offset:
            return "is a page of 2 MiB with contents, which implementations read differently"
        if one.file_offset and (fault := self._lacks(one.file_offset, PAGE_SIZE)):
            return fault
        return _reserved(one.reserved) or self._count(size)

    def _insert(self, one: layout.ParameterInsert) -> str | None:
        size = self._areas.get(one.area)
        if size is None or one.area in self._inserted:
            return f"inserts area {one.area}, which is not there or was inserted before"
        self._inserted.add(one.area)
        return _unaligned(one.gpa, size) or self._count(size)

    def _parameter(self, one: layout.Parameter) -> str | None:
        if one.area in self._inserted or one.offset >= self._areas.get(one.area, 0):
            return f"is at {one.offset:#x} of area {one.area}, which is not there, or was inserted before"
        return None

    def _context(self, one: layout.VpContext) -> str | None:
        self._contexts += 1
        if self._contexts > MAX_CONTEXTS:
            return f"is behind {MAX_CONTEXTS:,} others, which are the most"
        if one.mask & self._declared and one.mask.bit_count() != 1:
            return f"is for the mask {one.mask:#x}, and not for one platform"
        return _reserved(one.reserved) or _unaligned(one.gpa, 0) or self._lacks(one.file_offset, PAGE_SIZE)

    def _memory(self, one: layout.RequiredMemory) -> str | None:
        if one.flags > 1:
            return f"has unknown flags {one.flags:#x}"
        return _reserved(one.reserved) or _unaligned(one.gpa, one.size)

    def _id_block(self, one: layout.SnpIdBlock) -> str | None:
        if one.mask & self._id_blocks:
            return "is the second one of a platform"
        self._id_blocks |= one.mask
        return _reserved(any(one.reserved) or one.author_key_enabled > 1)

    def _errors(self, one: layout.ErrorRange) -> str | None:
        return _unaligned(one.gpa, one.size)

    def _vbs(self, _: layout.VbsMeasurement) -> None:
        return None

    def _count(self, size: int) -> str | None:
        self._pages += size // PAGE_SIZE
        return f"is behind {MAX_PAGES:,} pages, which is the most" if self._pages > MAX_PAGES else None

    def _lacks(self, offset: int, size: int) -> str | None:
        if self._data_begin <= offset <= self._data_end - size:
            return None
        return f"has {size:#x} bytes at {offset:#x}, where the file has no data"


def _reserved(value: int) -> str | None:
    return "has reserved bits that are set" if value else None


def _unaligned(gpa: int, size: int) -> str | None:
    if gpa % PAGE_SIZE or size % PAGE_SIZE or gpa + size > _ADDRESSES:
        return f"is of {size:#x} bytes at {gpa:#x}, which are not whole pages"
    return None


_CHECKS: dict[type[Content], Any] = {
    SupportedPlatform: Checks._platform,
    layout.GuestPolicy: Checks._policy,
    layout.RelocatableRegion: Checks._region,
    layout.PageTableRelocation: Checks._page_tables,
    layout.Corim: Checks._corim,
    layout.CcaPolicy: Checks._cca_policy,
    layout.ParameterArea: Checks._area,
    layout.PageData: Checks._page,
    layout.ParameterInsert: Checks._insert,
    layout.VpContext: Checks._context,
    layout.RequiredMemory: Checks._memory,
    layout.Parameter: Checks._parameter,
    layout.SnpIdBlock: Checks._id_block,
    layout.ErrorRange: Checks._errors,
    layout.VbsMeasurement: Checks._vbs,
}
