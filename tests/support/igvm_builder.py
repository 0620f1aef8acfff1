"""IGVM files for tests: headers as they are given, right or wrong, with a right checksum."""

from __future__ import annotations

import struct
import zlib

from catalog.firmware.igvm.igvm_types import HeaderType, PlatformType

SNP = 1
"""The mask of SEV-SNP in the headers that are made here by default."""

PAGES_AT = 0x2000
"""Offset of the file data, which begin with pages."""

ZEROS = 0
"""In place of the number of a page: it has no contents in the file."""


def igvm_bytes(*headers: bytes, pages: int = 1, version: int = 1, fixed: bytes | None = None) -> bytes:
    """A file. pages: with one byte repeated, 1 in the first. fixed: the end of the fixed header of version 2."""
    variable = b"".join(headers)
    more = b"" if version == 1 else struct.pack("<II", 0, 4096) if fixed is None else fixed
    data = b"".join(bytes([(number + 1) % 256]) * 4096 for number in range(pages))
    begin, size = 24 + len(more), PAGES_AT + len(data)

    def with_checksum(checksum: int) -> bytes:
        return struct.pack("<4sIIIII", b"IGVM", version, begin, len(variable), size, checksum) + more

    made = with_checksum(zlib.crc32(with_checksum(0) + variable)) + variable
    return made + bytes(PAGES_AT - len(made)) + data


def header(kind: int, content: bytes, padding: bytes | None = None) -> bytes:
    """Any variable header."""
    return struct.pack("<II", kind, len(content)) + content + (bytes(-len(content) % 8) if padding is None else padding)


def platform(kind: int = PlatformType.SEV_SNP, mask: int = SNP, version: int = 1) -> bytes:
    return header(HeaderType.SUPPORTED_PLATFORM, struct.pack("<IBBHQ", mask, 0, kind, version, 0))


def policy(number: int = 0x30000, mask: int = SNP, reserved: int = 0) -> bytes:
    return header(HeaderType.GUEST_POLICY, struct.pack("<QII", number, mask, reserved))


def page(gpa: int, number: int = ZEROS, *, mask: int = SNP, flags: int = 0, kind: int = 0, reserved: int = 0) -> bytes:
    """A page. number: of its contents, from 1 on. kind: its data type."""
    return header(HeaderType.PAGE_DATA, struct.pack("<QIIIHH", gpa, mask, _offset(number), flags, kind, reserved))


def area(size: int = 4096, number: int = 0, contents: int = ZEROS) -> bytes:
    return header(HeaderType.PARAMETER_AREA, struct.pack("<QII", size, number, _offset(contents)))


def insert(gpa: int, number: int = 0, mask: int = SNP) -> bytes:
    return header(HeaderType.PARAMETER_INSERT, struct.pack("<QII", gpa, mask, number))


def parameter(kind: int = HeaderType.VP_COUNT_PARAMETER, number: int = 0, offset: int = 0) -> bytes:
    return header(kind, struct.pack("<II", number, offset))


def context(gpa: int = 0xFFFFFFFFF000, number: int = 1, *, vcpu: int = 0, mask: int = SNP, reserved: int = 0) -> bytes:
    return header(HeaderType.VP_CONTEXT, struct.pack("<QIIHH", gpa, mask, _offset(number), vcpu, reserved))


def memory(gpa: int = 0, size: int = 4096, *, flags: int = 0, mask: int = SNP, reserved: int = 0) -> bytes:
    return header(HeaderType.REQUIRED_MEMORY, struct.pack("<QIIII", gpa, mask, size, flags, reserved))


def id_block(digest: bytes, *, mask: int = SNP, reserved: bytes = bytes(3), author: int = 0) -> bytes:
    values = (
        mask,
        author,
        reserved,
        digest,
        bytes(16),
        bytes(16),
        1,
        0,
        1,
        0,
        bytes(144),
        bytes(152),
        bytes(144),
        bytes(152),
    )
    return header(HeaderType.SNP_ID_BLOCK, struct.pack("<IB3s48s16s16sIIII144s152s144s152s", *values))


def _offset(number: int) -> int:
    return PAGES_AT + 4096 * (number - 1) if number else 0
