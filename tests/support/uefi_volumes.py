"""Firmware volumes for tests: what tells a machine, a variable store, and an image without GUID table."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from uuid import UUID

from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf, packed_volume

FILE_SYSTEM = UUID("8c8ce578-8a3d-4f1c-9935-896185c32dd3")
VARIABLES = UUID("fff12b8d-7696-4c8b-a985-2747075b4f50")
X86_64, X86_32, ARM, RISC_V, LOONGARCH = 0x8664, 0x14C, 0xAA64, 0x5064, 0x6264
PAGE = 4096


def volume(size: int, files: Sequence[bytes] = (), *, filesystem: UUID = FILE_SYSTEM, extended: bool = False) -> bytes:
    """A firmware volume of `size` bytes with files. extended: it has a second header."""
    extension = 0x48 if extended else 0
    header = bytes(16) + filesystem.bytes_le + struct.pack("<Q4sIHHH", size, b"_FVH", 0, 0x48, 0, extension)
    data = header.ljust(0x48, b"\0")
    if extended:
        data += FILE_SYSTEM.bytes_le + struct.pack("<I", 20)
    for file in files:
        data += b"\xff" * (-len(data) % 8) + file
    return data.ljust(size, b"\xff")


def file_of(*sections: bytes, large: bool = False) -> bytes:
    """A file of a volume. large: with a header for files of 16 MiB and more."""
    contents = b""
    for section in sections:
        contents += bytes(-len(contents) % 4) + section
    size = (32 if large else 24) + len(contents)
    kind, attributes = 3, 1 if large else 0
    header = bytes(16) + bytes(2) + bytes([kind, attributes]) + (0 if large else size).to_bytes(3, "little") + b"\xf8"
    return header + (struct.pack("<Q", size) if large else b"") + contents


def section(kind: int, body: bytes) -> bytes:
    return (4 + len(body)).to_bytes(3, "little") + bytes([kind]) + body


def te(machine: int) -> bytes:
    return section(0x12, b"VZ" + struct.pack("<H", machine) + bytes(36))


def pe_image(machine: int) -> bytes:
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + struct.pack("<H", machine) + bytes(18)


def pe32(machine: int) -> bytes:
    return section(0x10, pe_image(machine))


def code(machine: int | None = X86_64, *, drivers: int | None = None, reset_vector: bool = True) -> bytes:
    """An image of edk2 before its GUID table: a volume with a SEC executable, compressed drivers, a reset vector."""
    files = [] if machine is None else [file_of(section(0x19, b"raw"), te(machine))]
    if drivers is not None:
        files.insert(0, file_of(packed_volume(bytes(100) + pe_image(drivers) + bytes(100))))
    image = bytearray(volume(16 * PAGE, files))
    image[-64:] = bytes(64)
    if reset_vector:
        image[-20:-16] = b"VTF\0"
    return bytes(image)


def plain_image(packed: bytes = b"", *, machine: int = X86_64, pages: int = 32) -> bytes:
    """An image as edk2 makes them: a volume, with a SEC executable and compressed drivers, and a GUID table."""
    made = bytearray(build_ovmf(pages=pages, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS))
    begin = volume(0x8000, [file_of(te(machine)), *([file_of(packed)] if packed else [])])
    made[: len(begin)] = begin
    return bytes(made)
