"""PageRun: PAGE_DATA headers that follow one another, of which most files have thousands: they are read together."""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterator
from itertools import count, groupby, repeat
from operator import eq, ne, or_, sub
from typing import Literal, NamedTuple

from catalog.firmware.igvm.igvm_layout import (
    HEADER,
    LAYOUT,
    PageData,
)
from catalog.firmware.igvm.igvm_types import HeaderType

LONGEST_RUN = 1 << 16
"""Headers that are read together at the most."""

_CONTENT = LAYOUT[HeaderType.PAGE_DATA][1].size
_SIZE = HEADER.size + _CONTENT
_RUN = re.compile(b"(?:" + re.escape(HEADER.pack(HeaderType.PAGE_DATA, _CONTENT)) + b".{%d})+" % _CONTENT, re.DOTALL)

_PLACES: tuple[tuple[Literal["Q", "I", "H"], int], ...] = (
    ("Q", 8),
    ("I", 16),
    ("I", 20),
    ("I", 24),
    ("H", 28),
    ("H", 30),
)
"""Type of each field of PageData, and its offset in the header in bytes."""

_ALIKE = re.compile(rb"\x00+|\x01+")
_IS_BIG_ENDIAN = struct.pack("=H", 1) != struct.pack("<H", 1)


class PageRun(NamedTuple):
    """PAGE_DATA headers that follow one another, as an array for each field of PageData.

    number: how many headers come before the first.
    """

    number: int
    gpas: array[int]
    masks: array[int]
    file_offsets: array[int]
    flags: array[int]
    data_types: array[int]
    reserved: array[int]

    @classmethod
    def read(cls, data: bytes, at: int, end: int, number: int) -> PageRun | None:
        """The pages from an offset on, at most LONGEST_RUN; None if there is another header. end: of all headers."""
        found = _RUN.match(data, at, min(end, at + LONGEST_RUN * _SIZE))
        if not found:
            return None
        headers = memoryview(data)[at : found.end()]
        return cls(number, *(_column(headers, *place) for place in _PLACES))

    @property
    def size(self) -> int:
        """Bytes of the headers."""
        return len(self.gpas) * _SIZE

    def uniform_parts(self) -> Iterator[tuple[int, int]]:
        """Where each part begins and ends in which mask, flags and type are the same."""
        columns = self.masks, self.flags, self.data_types
        if all(map(is_uniform, columns)):
            yield 0, len(self.gpas)
            return
        begin = 0
        for _, some in groupby(zip(*columns, strict=True)):
            end = begin + sum(1 for _ in some)
            yield begin, end
            begin = end

    def each(self) -> Iterator[PageData]:
        """The headers one by one."""
        return map(PageData._make, zip(*self[1:], strict=True))


def contiguous_parts(gpas: array[int], offsets: array[int], size: int) -> Iterator[tuple[int, int]]:
    """Where each part of some pages begins and ends whose addresses follow one another, and all or none have contents.

    size: bytes of memory of a page. offsets: of their contents; 0: none.
    """
    for found in _ALIKE.finditer(bytes(map(bool, offsets))):
        begin, end = found.span()
        if all(map(eq, gpas[begin:end], count(gpas[begin], size))):  # ten times as fast as one by one
            yield begin, end
            continue
        for at, step in enumerate(map(sub, gpas[begin + 1 : end], gpas[begin:end]), begin + 1):
            if step != size:
                yield begin, at
                begin = at
        yield begin, end


def last_contiguous_part(gpas: array[int], offsets: array[int], size: int) -> int:
    """Where the last of `contiguous_parts` begins."""
    has_contents = bytes(map(bool, offsets))
    begin = has_contents.rfind(1 - has_contents[-1]) + 1
    if all(map(eq, gpas[begin:], count(gpas[begin], size))):
        return begin
    at = len(gpas) - 1
    while gpas[at] - gpas[at - 1] == size:
        at -= 1
    return at


def count_contiguous_parts(gpas: array[int], offsets: array[int], size: int) -> int:
    """The number of `contiguous_parts`."""
    has_contents = bytes(map(bool, offsets))
    gaps = map(ne, map(sub, gpas[1:], gpas), repeat(size))
    breaks: int = sum(map(or_, gaps, map(ne, has_contents[1:], has_contents)))
    return breaks + 1


def is_uniform(column: array[int]) -> bool:
    """Whether all numbers of an array are the same."""
    return column.tobytes() == column[:1].tobytes() * len(column)


def _column(headers: memoryview, code: Literal["Q", "I", "H"], offset: int) -> array[int]:
    """A field of all headers. code: of its type. offset: in bytes, from the beginning of the header."""
    words = headers.cast(code)
    made = array(code)
    made.frombytes(words[offset // words.itemsize :: _SIZE // words.itemsize].tobytes())
    if _IS_BIG_ENDIAN:
        made.byteswap()
    return made
