"""IgvmFile: an IGVM file of format version 1 or 2, read strictly and within bounds.

What implementations let pass is counted, and not refused.
Source: microsoft/igvm igvm_defs/src/lib.rs and igvm/src/lib.rs at e6c3ff1.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from catalog.errors import MalformedFirmware
from catalog.firmware.igvm.igvm_checks import Checks
from catalog.firmware.igvm.igvm_layout import (
    CHECKSUM_AT,
    FIXED,
    FIXED_2,
    HEADER,
    LAYOUT,
    MAGIC,
    MAY_BE_IGNORED,
    Content,
    SupportedPlatform,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PlatformType
from catalog.firmware.igvm.page_run import PageRun
from catalog.firmware.metadata import PAGE_SIZE
from catalog.values import Value

MAX_FILE_SIZE = 1 << 30
"""Bytes. An IGVM file with a kernel and its initrd has some hundred MiB at most."""

MAX_HEADERS = 1 << 20
"""Variable headers: a million pages of 4096 bytes are 4 GiB."""

MAX_RUNS = 1 << 14
"""Runs of pages, and headers that are none: usual files have some hundred."""

_MOST_IGNORED = 64  # types of unknown headers that are kept

ARCHITECTURES = ("x64", "aarch64")


class IgvmFile(Value):
    """An IGVM file.

    data: the whole file. version: of the format. architecture: one of ARCHITECTURES.
    headers: the type and content of every variable header that is known, in their order; pages as PageRun.
    platforms: in their order.
    ignored: types of headers that are not known and say that they may be ignored, of which 64 are kept.
    padded: number of headers whose padding is not zero, as the format demands.
    undeclared: bits in the masks of headers that are those of no platform.
    """

    data: bytes
    version: int
    architecture: str
    headers: tuple[tuple[int, Content | PageRun], ...]
    platforms: tuple[SupportedPlatform, ...]
    ignored: tuple[int, ...]
    padded: int
    undeclared: int

    @classmethod
    def parse(cls, data: bytes) -> IgvmFile:
        """Read a file; raises MalformedFirmware if it is broken, too large, or of an unknown version."""
        version, architecture, begin, end = _read_fixed_header(data)
        checks, ignored, padded = Checks(end, len(data)), set[int](), 0
        headers: list[tuple[int, Content | PageRun]] = []
        for kind, at, content, is_padded in _walk(data, begin, end):
            padded += is_padded
            if content is not None:
                headers.append((kind, content))
            if isinstance(content, PageRun):
                checks.check_run(content, at)
            elif content is not None:
                checks.check(kind, content, at)
            elif kind & MAY_BE_IGNORED:
                ignored |= {kind} if len(ignored) < _MOST_IGNORED else set()
            else:
                raise MalformedFirmware(f"the header at {at:#x} has the unknown type {kind:#x}")
        found = (tuple(sorted(ignored)), padded, checks.undeclared)
        return cls(data, version, architecture, tuple(headers), checks.end(), *found)

    def platform(self, kind: PlatformType) -> SupportedPlatform | None:
        """The platform header of a type, which a file has at most once."""
        return next((one for one in self.platforms if one.platform == kind), None)

    def page(self, file_offset: int) -> bytes:
        """The 4096 bytes at an offset; zeros for 0, which means that."""
        return self.data[file_offset : file_offset + PAGE_SIZE] if file_offset else bytes(PAGE_SIZE)


def is_igvm(data: bytes) -> bool:
    """Whether data begins as an IGVM file does."""
    return data.startswith(MAGIC)


def size_of_file(start: bytes) -> int:
    """How many bytes a file says that it has. start: its first bytes. Raises MalformedFirmware."""
    if not is_igvm(start) or len(start) < FIXED.size:
        raise MalformedFirmware("not an IGVM file: it has no IGVM header", "give the whole file")
    total: int = FIXED.unpack_from(start)[4]
    if total > MAX_FILE_SIZE:
        raise MalformedFirmware(f"{total:,} bytes are more than an IGVM file of 1 GiB")
    return total


def _read_fixed_header(data: bytes) -> tuple[int, str, int, int]:
    """Version, architecture, and the offsets of the variable headers and of what follows them."""
    size_of_file(data)
    _, version, begin, size, total, checksum = FIXED.unpack_from(data)
    fixed = {1: FIXED.size, 2: FIXED.size + FIXED_2.size}.get(version)
    if fixed is None:
        raise MalformedFirmware(f"unknown IGVM format version {version}", "known are 1 and 2")
    if total != len(data):
        raise MalformedFirmware(f"an IGVM file without the {total:,} bytes that its header says", "give the whole file")
    if begin < fixed or begin % 8 or size % 8 or begin + size >= total:
        raise MalformedFirmware(f"variable headers of {size} bytes at {begin:#x} do not fit in the file")
    number = 0
    if version == 2:
        number, page_size = FIXED_2.unpack_from(data, FIXED.size)
        if number >= len(ARCHITECTURES) or page_size != PAGE_SIZE:
            raise MalformedFirmware(f"unknown architecture {number} or page size {page_size}")
    covered = bytearray(data[:fixed])
    covered[CHECKSUM_AT : CHECKSUM_AT + 4] = bytes(4)
    found = zlib.crc32(memoryview(data)[begin : begin + size], zlib.crc32(covered))
    if found != checksum:
        why = f"the CRC-32 of the headers is {found:#010x}, and not {checksum:#010x} as they say"
        raise MalformedFirmware(why, "the file is damaged: get it again")
    return version, ARCHITECTURES[number], begin, begin + size


def _walk(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, Content | PageRun | None, bool]]:
    """Type, offset, content, and whether the padding is not zero, of each variable header or run of pages.

    The content of an unknown type is None.
    """
    at, number, runs = begin, 0, 0
    while at < end:
        content: Content | PageRun | None
        if run := PageRun.read(data, at, end, number):
            content, kind, size, is_padded = run, HeaderType.PAGE_DATA.value, run.size, False
            number += len(run.gpas)
        else:
            kind, content, length = _read_header(data, at, end)
            padding = data[at + HEADER.size + length : at + HEADER.size + length + -length % 8]
            size, is_padded = HEADER.size + length + len(padding), any(padding)
            number += 1
        if number > MAX_HEADERS:
            raise MalformedFirmware(f"more than {MAX_HEADERS:,} variable headers")
        runs += 1
        if runs > MAX_RUNS:
            raise MalformedFirmware(f"more than {MAX_RUNS:,} headers that are not pages, or runs of pages between them")
        yield kind, at, content, is_padded
        at += size


def _read_header(data: bytes, at: int, end: int) -> tuple[int, Content | None, int]:
    """Type, content, and bytes of the content of one header."""
    kind, length = HEADER.unpack_from(data, at)  # all headers together are whole multiples of its size
    if length > end - at - HEADER.size:
        raise MalformedFirmware(f"the header at {at:#x} has {length} bytes, and {end - at - HEADER.size} are left")
    if kind not in LAYOUT:
        return kind, None, length
    made, packed = LAYOUT[kind]
    if length != packed.size:
        what = f"the {HeaderType(kind).name} header at {at:#x}"
        raise MalformedFirmware(f"{what} has {length} bytes, not {packed.size}")
    return kind, made._make(packed.unpack_from(data, at + HEADER.size)), length
