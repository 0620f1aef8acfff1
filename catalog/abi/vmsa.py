"""VMSA: the save area of one vCPU as 4096 bytes, from named registers and back.

Source: AMD APM volume 2, appendix B, table B-4 (state save area of SEV-ES and SEV-SNP guests).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.errors import MalformedInput

VMSA_SIZE = 4096

SEGMENTS = {
    "es": 0x00,
    "cs": 0x10,
    "ss": 0x20,
    "ds": 0x30,
    "fs": 0x40,
    "gs": 0x50,
    "gdtr": 0x60,
    "ldtr": 0x70,
    "idtr": 0x80,
    "tr": 0x90,
}
"""Byte offset of each segment register: 16 bytes {u16 selector, u16 attrib, u32 limit, u64 base}."""

SEGMENT_BITS = {"selector": 16, "attrib": 16, "limit": 32, "base": 64}
"""Width of each field of a segment register, in its order."""

REGISTERS = {
    "vmpl": (0xCA, "B"),
    "cpl": (0xCB, "B"),
    "efer": (0xD0, "Q"),
    "xss": (0x140, "Q"),
    "cr4": (0x148, "Q"),
    "cr3": (0x150, "Q"),
    "cr0": (0x158, "Q"),
    "dr7": (0x160, "Q"),
    "dr6": (0x168, "Q"),
    "rflags": (0x170, "Q"),
    "rip": (0x178, "Q"),
    "rsp": (0x1D8, "Q"),
    "rax": (0x1F8, "Q"),
    "g_pat": (0x268, "Q"),
    "pkru": (0x2E8, "I"),
    "tsc_aux": (0x2EC, "I"),
    "rcx": (0x308, "Q"),
    "rdx": (0x310, "Q"),
    "rbx": (0x318, "Q"),
    "rbp": (0x328, "Q"),
    "rsi": (0x330, "Q"),
    "rdi": (0x338, "Q"),
    "r8": (0x340, "Q"),
    "r9": (0x348, "Q"),
    "r10": (0x350, "Q"),
    "r11": (0x358, "Q"),
    "r12": (0x360, "Q"),
    "r13": (0x368, "Q"),
    "r14": (0x370, "Q"),
    "r15": (0x378, "Q"),
    "sev_features": (0x3B0, "Q"),
    "vintr_ctrl": (0x3B8, "Q"),
    "virtual_tom": (0x3C8, "Q"),
    "xcr0": (0x3E8, "Q"),
    "x87_dp": (0x400, "Q"),
    "mxcsr": (0x408, "I"),
    "x87_ftw": (0x40C, "H"),
    "x87_fsw": (0x40E, "H"),
    "x87_fcw": (0x410, "H"),
}
"""Byte offset and width (struct letter, little-endian) of each register; every byte not named is zero at launch."""

_SEGMENT = struct.Struct("<HHIQ")
_NONZERO = re.compile(rb"[^\0]+")


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment register in the VMSA."""

    selector: int = 0
    attrib: int = 0
    limit: int = 0
    base: int = 0


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers of one vCPU at launch; those that are not named are zero."""

    segments: Mapping[str, Segment]
    values: Mapping[str, int]


def starting_at(registers: Registers, eip: int) -> Registers:
    """The same vCPU starting at `eip` (32-bit, real mode): cs.base takes the upper half, rip the lower."""
    segments, values = dict(registers.segments), dict(registers.values)
    code = segments["cs"]
    segments["cs"] = Segment(code.selector, code.attrib, code.limit, eip & 0xFFFF0000)
    values["rip"] = eip & 0xFFFF
    return Registers(segments, values)


def encode(registers: Registers) -> bytes:
    """The 4096-byte page. Raises KeyError for a name that the tables above lack, struct.error for too large a value."""
    page = bytearray(VMSA_SIZE)
    for name, segment in registers.segments.items():
        fields = (segment.selector, segment.attrib, segment.limit, segment.base)
        _SEGMENT.pack_into(page, SEGMENTS[name], *fields)
    for name, value in registers.values.items():
        offset, width = REGISTERS[name]
        struct.pack_into("<" + width, page, offset, value)
    return bytes(page)


def decode(page: bytes) -> Registers:
    """Every segment and register of the tables above, including zeros; raises MalformedInput unless 4096 bytes.

    `encode` gives the same page back if `unnamed` finds nothing in it.
    """
    if len(page) != VMSA_SIZE:
        raise MalformedInput(f"a VMSA is {VMSA_SIZE} bytes, not {len(page)}")
    return Registers(
        {name: Segment(*_SEGMENT.unpack_from(page, offset)) for name, offset in SEGMENTS.items()},
        {name: struct.unpack_from("<" + width, page, offset)[0] for name, (offset, width) in REGISTERS.items()},
    )


def unnamed(page: bytes | bytearray) -> list[tuple[int, bytes]]:
    """Each run of nonzero bytes that no register in the tables above covers, ascending: byte offset and bytes.

    Such as x87 (0x420 to 0x46f), xmm (0x470) and ymm (0x570).
    """
    rest = bytearray(page)
    for offset in SEGMENTS.values():
        rest[offset : offset + _SEGMENT.size] = bytes(_SEGMENT.size)
    for name, (offset, _) in REGISTERS.items():
        size = register_bits(name) // 8
        rest[offset : offset + size] = bytes(size)
    return [(run.start(), run.group()) for run in _NONZERO.finditer(bytes(rest))]


def register_bits(name: str) -> int:
    """Width of a register in the VMSA, in bits. Raises KeyError for a name that the table lacks."""
    return 8 * struct.calcsize("<" + REGISTERS[name][1])
