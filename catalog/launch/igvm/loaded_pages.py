"""LoadedPages: the pages of an IGVM file that a loader hands to the secure processor, in launch order.

Source: the files of data/vmm/ name the code that the rules of each loader were read in.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from operator import eq, le
from typing import NamedTuple

from catalog.abi.page_info import PAGE_SIZE, PageType
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    IS_2MB,
    SHARED,
    UNMEASURED,
    ParameterArea,
    ParameterInsert,
    VpContext,
)
from catalog.firmware.igvm.igvm_types import PageDataType
from catalog.firmware.igvm.page_run import PageRun, last_contiguous_part
from catalog.launch.igvm_rules import IgvmRules

_PAGES_OF_2MB = 512
_TYPES = {
    PageDataType.NORMAL.value: PageType.NORMAL,
    PageDataType.SECRETS.value: PageType.SECRETS,
    PageDataType.CPUID_DATA.value: PageType.CPUID,
    PageDataType.CPUID_XF.value: PageType.CPUID,
}


class LoadedPages(NamedTuple):
    """Pages of 4096 bytes in launch order, as three arrays of one length, because there may be millions.

    kinds: PageType. gpas: guest-physical addresses. offsets: of the contents in the file; 0: zeros.
    """

    kinds: array[int]
    gpas: array[int]
    offsets: array[int]

    @classmethod
    def none(cls) -> LoadedPages:
        """No pages so far."""
        return cls(array("B"), array("Q"), array("I"))

    @classmethod
    def one(cls, kind: PageType, gpa: int, offset: int) -> LoadedPages:
        """A single page. offset: of its contents."""
        return cls(array("B", (kind,)), array("Q", (gpa,)), array("I", (offset,)))

    def extend(self, other: LoadedPages) -> None:
        """Append other pages."""
        for own, more in zip(self, other, strict=True):
            own.extend(more)

    def by_address(self) -> LoadedPages:
        """The same pages in ascending order of their addresses; those with one address stay in their order."""
        if all(map(le, self.gpas, islice(self.gpas, 1, None))):
            return self
        order = sorted(range(len(self.gpas)), key=self.gpas.__getitem__)
        return LoadedPages(*(array(one.typecode, map(one.__getitem__, order)) for one in self))


def loaded_pages(file: IgvmFile, mask: int, rules: IgvmRules) -> LoadedPages:
    """The pages of the platform with this mask; with its VMSAs, if they are launched where the file has them."""
    made, areas = LoadedPages.none(), dict[int, int]()
    region = _Region()
    for _, one in file.headers:
        if isinstance(one, PageRun):
            for begin, like, pages in _alike(one, mask, rules):
                if rules.order == "regions":
                    region.take(pages, begin, like, made)
                else:
                    made.extend(pages)
        elif isinstance(one, ParameterArea):
            areas[one.area] = one.size if rules.whole_areas else PAGE_SIZE
        elif isinstance(one, ParameterInsert) and one.mask & mask:
            made.extend(_filled(PageType.UNMEASURED, one.gpa, areas[one.area]))
        elif isinstance(one, VpContext) and one.mask & mask and not rules.vmsas_at_end:
            made.extend(LoadedPages.one(PageType.VMSA, one.gpa, one.file_offset))
    made.extend(region.pages)
    return made.by_address() if rules.order == "address" else made


def overlaps(file: IgvmFile, mask: int) -> int:
    """Pages of a platform, parameter areas included, at an address that has another page or a VMSA."""
    gpas, areas, vmsas = array("Q"), dict[int, int](), set[int]()
    for _, one in file.headers:
        if isinstance(one, PageRun):
            for begin, end in one.uniform_parts():
                if one.masks[begin] & mask and one.flags[begin] & IS_2MB:
                    for gpa in one.gpas[begin:end]:
                        gpas.extend(range(gpa, gpa + _PAGES_OF_2MB * PAGE_SIZE, PAGE_SIZE))
                elif one.masks[begin] & mask:
                    gpas.extend(one.gpas[begin:end])
        elif isinstance(one, ParameterArea):
            areas[one.area] = one.size
        elif isinstance(one, ParameterInsert) and one.mask & mask:
            gpas.extend(range(one.gpa, one.gpa + areas[one.area], PAGE_SIZE))
        elif isinstance(one, VpContext) and one.mask & mask:
            vmsas.add(one.gpa)
    ordered = sorted(gpas)
    equal: int = sum(map(eq, ordered, islice(ordered, 1, None)))
    return equal + sum(1 for gpa in vmsas if bisect_left(ordered, gpa) < bisect_right(ordered, gpa))


class _Region:
    """QEMU's region of pages, which is launched once a page is unlike those before, or does not follow at once.

    Pages of parameter areas do not end a region: they come before it. Source: QEMU backends/igvm.c.
    """

    def __init__(self) -> None:
        self.pages = LoadedPages.none()
        self._next: tuple[int, int, _Like, bool] | None = None

    def take(self, pages: LoadedPages, number: int, like: _Like, made: LoadedPages) -> None:
        """Append pages, and what ended before them to `made`. number: of the header of the first."""
        _, gpas, offsets = pages
        headers = len(gpas) // like.pages
        begin = last_contiguous_part(gpas, offsets, PAGE_SIZE)
        if begin or self._next != (number, gpas[0], like, bool(offsets[0])):
            made.extend(self.pages)
            made.extend(LoadedPages(*(one[:begin] for one in pages)))
            self.pages = LoadedPages(*(one[begin:] for one in pages))
        else:
            self.pages.extend(pages)
        self._next = number + headers, gpas[-1] + PAGE_SIZE, like, bool(offsets[-1])


class _Like(NamedTuple):
    """What pages have in common. pages: of 4096 bytes for each header."""

    mask: int
    flags: int
    data_type: int
    pages: int


def _alike(run: PageRun, mask: int, rules: IgvmRules) -> Iterator[tuple[int, _Like, LoadedPages]]:
    """The pages of a platform in a run, in parts of one mask, flags and type; with the number of the first header."""
    for begin, end in run.uniform_parts():
        own, flags = run.masks[begin], run.flags[begin]
        if own & mask and (rules.measures_shared or not flags & SHARED):
            pages = _PAGES_OF_2MB if flags & IS_2MB and rules.whole_large_pages else 1
            data_type = run.data_types[begin]
            is_unmeasured = flags & UNMEASURED and data_type == PageDataType.NORMAL
            kind = PageType.UNMEASURED if is_unmeasured else _TYPES[data_type]
            part = _pages(kind, run.gpas[begin:end], run.file_offsets[begin:end], rules)
            if pages > 1:
                part = _spread(part, pages)
            yield run.number + begin, _Like(own, flags, data_type, pages), part


def _pages(kind: PageType, gpas: array[int], offsets: array[int], rules: IgvmRules) -> LoadedPages:
    if kind is PageType.NORMAL and rules.zero_type is not kind:
        kinds = array("B", bytes(map(bool, offsets)).translate(bytes((rules.zero_type, kind)) + bytes(254)))
    else:
        kinds = array("B", bytes((kind,)) * len(gpas))
    return LoadedPages(kinds, gpas, offsets)


def _spread(pages: LoadedPages, count: int) -> LoadedPages:
    """Pages of 2 MiB, which have no data, as pages of 4096 bytes."""
    made = LoadedPages.none()
    for kind, gpa, _ in zip(*pages, strict=True):
        made.extend(_filled(PageType(kind), gpa, count * PAGE_SIZE))
    return made


def _filled(kind: PageType, gpa: int, size: int) -> LoadedPages:
    """Pages without contents from an address on. size: bytes of memory."""
    gpas = array("Q", range(gpa, gpa + size, PAGE_SIZE))
    return LoadedPages(array("B", bytes((kind,)) * len(gpas)), gpas, array("I", (0,)) * len(gpas))
