"""OVMF-like images with TDVF metadata, intact or broken in a chosen place."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.support.firmware_builder import TDX_METADATA, build_ovmf

BFV, CFV, TD_HOB, TEMP_MEM = range(4)


class Tdvf(NamedTuple):
    """A section as it is written: all fields may be false."""

    data_offset: int
    raw_size: int
    gpa: int
    size: int
    kind: int
    attributes: int


_AT = 0x2000
"""Offset of the metadata."""

PAGES = 8
CFV_SIZE = 0x2000
SECTIONS = (
    Tdvf(CFV_SIZE, PAGES * 4096 - CFV_SIZE, 0xFFFFA000, PAGES * 4096 - CFV_SIZE, BFV, 1),
    Tdvf(0, CFV_SIZE, 0xFFFF8000, CFV_SIZE, CFV, 0),
    Tdvf(0, 0, 0x810000, 0x10000, TEMP_MEM, 0),
    Tdvf(0, 0, 0x809000, 0x2000, TD_HOB, 0),
    Tdvf(0, 0, 0x820000, 0x3000, TEMP_MEM, 2),
)
"""As edk2 has them: code is measured, and the variable store is not."""


def build_tdvf(
    sections: Sequence[Tdvf] = SECTIONS,
    *,
    pages: int = PAGES,
    magic: bytes = b"TDVF",
    version: int = 1,
    length: int | None = None,
    count: int | None = None,
    pointer: bytes | None = None,
    ovmf: Mapping[str, Any] = MappingProxyType({}),
) -> bytes:
    """A combined image of 8 pages, variable store first. ovmf: what else `build_ovmf` takes."""
    listed = b"".join(struct.pack("<IIQQII", *one) for one in sections)
    size = 16 + len(listed) if length is None else length
    metadata = magic + struct.pack("<III", size, version, len(sections) if count is None else count) + listed
    entry = struct.pack("<I", pages * 4096 - _AT) if pointer is None else pointer
    image = bytearray(build_ovmf(pages=pages, extra={TDX_METADATA: entry}, **ovmf))
    image[_AT : _AT + len(metadata)] = metadata
    return bytes(image)
