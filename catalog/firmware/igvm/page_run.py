"""PageRun: PAGE_DATA headers that follow one another, of which most files have thousands: they are read together."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from catalog.firmware.igvm.igvm_layout import HEADER, LAYOUT, HeaderType, PageData

LONGEST_RUN = 1 << 16
"""Headers that are read together at the most."""

_CONTENT = LAYOUT[HeaderType.PAGE_DATA][1].size
_SIZE = HEADER.size + _CONTENT
_RUN = re.compile(b"(?:" + re.escape(HEADER.pack(HeaderType.PAGE_DATA, _CONTENT)) + b".{%d})+" % _CONTENT, re.DOTALL)


class PageRun(NamedTuple):
    """PAGE_DATA headers that follow one another, as a tuple for each field of PageData.

    number: how many headers come before the first.
    """

    number: int
    gpas: tuple[int, ...]
    masks: tuple[int, ...]
    file_offsets: tuple[int, ...]
    flags: tuple[int, ...]
    data_types: tuple[int, ...]
    reserved: tuple[int, ...]

    @classmethod
    def read(cls, data: bytes, at: int, end: int, number: int) -> PageRun | None:
        """The pages from an offset on, at most LONGEST_RUN; None if there is another header. end: of all headers."""
        found = _RUN.match(data, at, min(end, at + LONGEST_RUN * _SIZE))
        if not found:
            return None
        count = len(found[0]) // _SIZE
        gpas = struct.unpack_from(f"<{4 * count}Q", data, at)[1::4]
        words = struct.unpack_from(f"<{8 * count}I", data, at)
        last = words[7::8]
        data_types, reserved = tuple(word & 0xFFFF for word in last), tuple(word >> 16 for word in last)
        return cls(number, gpas, words[4::8], words[5::8], words[6::8], data_types, reserved)

    @property
    def size(self) -> int:
        """Bytes of the headers."""
        return len(self.gpas) * _SIZE

    def each(self) -> Iterator[PageData]:
        """The headers one by one."""
        return map(PageData._make, zip(*self[1:], strict=True))
