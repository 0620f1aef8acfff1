"""VMDK: VMware Virtual Disk Format 1.1, the kinds that are one sparse file; all numbers are little-endian."""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass

from catalog.containers.container import DiskImage, too_large
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import VMDK
from catalog.firmware.ovmf import MAX_IMAGE_SIZE

_SECTOR = 512
_HEADER = struct.Struct("<IIIQQQQIQQQB4xH")
_AT_END = (1 << 64) - 1
_FOOTER = 2 * _SECTOR
_ZEROED_GRAINS, _COMPRESSED = 1 << 2, 1 << 16
_DEFLATE = 1
_MARKER = struct.Struct("<QI")
_ENTRIES = range(1, 4097)
_GRAIN = range(1, 16 << 11)
_KINDS = ("monolithicSparse", "streamOptimized")
_MAX_DESCRIPTOR = 1 << 16


class Vmdk(DiskImage):
    """A .vmdk file."""

    name = "vmdk"
    magic = VMDK
    command = "qemu-img convert -O raw FILE OVMF.fd"

    def raw(self, data: bytes) -> bytes:
        extent = _Extent.parse(data)
        whole = io.BytesIO()
        for number in range(-(-extent.capacity // extent.grain)):
            whole.write(_grain(data, extent, _table_entry(data, extent, number)))
        whole.truncate(extent.capacity * _SECTOR)
        return whole.getvalue()


@dataclass(frozen=True, slots=True)
class _Extent:
    """What of the header the data depend on: capacity, grain size and directory offset in sectors, entries a table."""

    flags: int
    capacity: int
    grain: int
    entries: int
    directory: int

    @classmethod
    def parse(cls, data: bytes) -> _Extent:
        header = _fields(data, 0)
        _check_descriptor(data, header[5], header[6])
        if header[9] == _AT_END:  # of a stream: the directory is known when everything else is written
            header = _fields(data, len(data) - _FOOTER)
        magic, _, flags, capacity, grain, _, _, entries, _, directory, _, unclean, algorithm = header
        if magic != int.from_bytes(VMDK, "little"):
            raise MalformedFirmware("it has no footer")
        if unclean:
            raise MalformedFirmware("it was not closed properly (unclean shutdown)")
        if capacity * _SECTOR > MAX_IMAGE_SIZE:
            raise too_large()
        if grain not in _GRAIN or entries not in _ENTRIES:
            raise MalformedFirmware(f"grains of {grain} sectors in tables of {entries} are not read")
        if flags & _COMPRESSED and algorithm != _DEFLATE:
            raise MalformedFirmware(f"compression {algorithm} is not deflate")
        return cls(flags, capacity, grain, entries, directory)


def _fields(data: bytes, offset: int) -> tuple[int, ...]:
    if not 0 <= offset <= len(data) - _HEADER.size:
        raise MalformedFirmware("it ends within its header")
    return _HEADER.unpack_from(data, offset)


def _check_descriptor(data: bytes, offset: int, size: int) -> None:
    """Raises MalformedFirmware if the text in the file says that it needs other files."""
    start = offset * _SECTOR
    text = data[start : start + min(size * _SECTOR, _MAX_DESCRIPTOR)]
    kind = re.search(rb'^createType\s*=\s*"([ -~]{0,64})"', text, re.MULTILINE)
    if kind is None:
        raise MalformedFirmware("it has no descriptor, as one extent of several")
    if (name := kind[1].decode("ascii")) not in _KINDS:
        raise MalformedFirmware(f"{name} is neither {' nor '.join(_KINDS)}")
    parent = re.search(rb"^parentCID\s*=\s*([0-9a-fA-F]{1,8})\s*$", text, re.MULTILINE)
    if parent and parent[1].lower() != b"ffffffff":
        raise MalformedFirmware("it has a parent, so it holds only a part of an image")


def _table_entry(data: bytes, extent: _Extent, number: int) -> int:
    """The sector of a grain; 0 if it was never written."""
    table = _u32(data, extent.directory * _SECTOR + number // extent.entries * 4)
    return _u32(data, table * _SECTOR + number % extent.entries * 4) if table else 0


def _grain(data: bytes, extent: _Extent, sector: int) -> bytes:
    """The contents of a grain."""
    size = extent.grain * _SECTOR
    if sector == 0 or (sector == 1 and extent.flags & _ZEROED_GRAINS):
        return bytes(size)
    offset = sector * _SECTOR
    if offset >= len(data):
        raise MalformedFirmware(f"a grain at {offset:#x} lies outside the file")
    if not extent.flags & _COMPRESSED:
        return data[offset : offset + size].ljust(size, b"\0")  # the last one of a file may be short
    if offset + _MARKER.size > len(data):
        raise MalformedFirmware(f"a compressed grain at {offset:#x} is damaged")
    _, packed = _MARKER.unpack_from(data, offset)
    start, most = offset + _MARKER.size, 2 * size + _SECTOR  # deflate never makes data that much longer
    try:
        grain = zlib.decompressobj().decompress(memoryview(data)[start : start + min(packed, most)], size)
    except zlib.error:
        grain = b""
    if not grain:
        raise MalformedFirmware(f"a compressed grain at {offset:#x} is damaged")
    return grain.ljust(size, b"\0")  # the last one of a disk may be short


def _u32(data: bytes, offset: int) -> int:
    if offset + 4 > len(data):
        raise MalformedFirmware(f"a table entry at {offset:#x} lies outside the file")
    return int.from_bytes(data[offset : offset + 4], "little")


FORMAT = Vmdk()
