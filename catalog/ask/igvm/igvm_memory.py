"""The guest-physical memory that an IGVM file names, as ranges in the order of the file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    IS_2MB,
    SHARED,
    UNMEASURED,
    ErrorRange,
    Parameter,
    ParameterArea,
    ParameterInsert,
    RequiredMemory,
    VpContext,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType
from catalog.firmware.igvm.page_run import PageRun, contiguous_parts, count_contiguous_parts
from catalog.firmware.metadata import PAGE_SIZE

_LARGE_PAGE = PAGE_SIZE << 9
_FLAGS = {"unmeasured": UNMEASURED, "shared": SHARED, "2mb": IS_2MB}


class MemoryRange(NamedTuple):
    """A range of guest memory.

    gpa, size: in bytes. mask: of the platforms. what: for people. data_type, flags: of pages; those without contents in
    the file have the flag `no-data`. sha256: of the contents, in hex.
    """

    gpa: int
    size: int
    mask: int
    what: str
    data_type: str | None = None
    flags: tuple[str, ...] = ()
    sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """In the JSON of `ldcat inspect`."""
        return {**self._asdict(), "flags": list(self.flags)}


def memory_ranges(file: IgvmFile) -> Iterator[MemoryRange]:
    """The ranges of all platforms; pages that follow one another and are alike are one range."""
    parameters = _parameters(file)
    areas: dict[int, int] = {}
    for _, one in file.headers:
        if isinstance(one, PageRun):
            for begin, end in one.uniform_parts():
                yield from _pages(file, one, begin, end)
        elif isinstance(one, ParameterArea):
            areas[one.area] = one.size
        elif isinstance(one, ParameterInsert):
            held = ", ".join(parameters[one.area])
            what = f"parameter area {one.area}" + (f": {held}" if held else "")
            yield MemoryRange(one.gpa, areas[one.area], one.mask, what)
        elif isinstance(one, VpContext):
            sha256 = hashlib.sha256(file.page(one.file_offset)).hexdigest()
            yield MemoryRange(one.gpa, PAGE_SIZE, one.mask, f"context of vCPU {one.vp_index}", sha256=sha256)
        elif isinstance(one, RequiredMemory):
            yield MemoryRange(one.gpa, one.size, one.mask, "required memory")
        elif isinstance(one, ErrorRange):
            yield MemoryRange(one.gpa, one.size, one.mask, "error range")


def count_ranges(file: IgvmFile) -> int:
    """The number of `memory_ranges`, without reading their contents."""
    count = 0
    for _, one in file.headers:
        if isinstance(one, PageRun):
            for begin, end in one.uniform_parts():
                part = slice(begin, end)
                count += count_contiguous_parts(one.gpas[part], one.file_offsets[part], _page_size(one, begin))
        else:
            count += isinstance(one, ParameterInsert | VpContext | RequiredMemory | ErrorRange)
    return count


def _parameters(file: IgvmFile) -> dict[int, list[str]]:
    """Names of what the loader writes into each parameter area."""
    found: dict[int, list[str]] = defaultdict(list)
    for kind, one in file.headers:
        if isinstance(one, Parameter):
            found[one.area].append(HeaderType(kind).name.removesuffix("_PARAMETER"))
    return found


def _pages(file: IgvmFile, run: PageRun, begin: int, end: int) -> Iterator[MemoryRange]:
    """The ranges of a part of a run with one mask, flags and type."""
    size = _page_size(run, begin)
    for first, after in contiguous_parts(run.gpas[begin:end], run.file_offsets[begin:end], size):
        yield _range(file, run, begin + first, begin + after, size)


def _page_size(run: PageRun, at: int) -> int:
    return _LARGE_PAGE if run.flags[at] & IS_2MB else PAGE_SIZE


def _range(file: IgvmFile, run: PageRun, begin: int, end: int, size: int) -> MemoryRange:
    has_data = bool(run.file_offsets[begin])
    flags = [name for name, bit in _FLAGS.items() if run.flags[begin] & bit]
    flags = flags if has_data else ["no-data", *flags]
    data_type = PageDataType(run.data_types[begin]).name
    hashed = hashlib.sha256()
    for offset in run.file_offsets[begin:end] if has_data else ():
        hashed.update(file.page(offset))
    return MemoryRange(
        gpa=run.gpas[begin],
        size=(end - begin) * size,
        mask=run.masks[begin],
        what=", ".join((f"{data_type} pages", *flags)),
        data_type=data_type,
        flags=tuple(flags),
        sha256=hashed.hexdigest() if has_data else None,
    )
