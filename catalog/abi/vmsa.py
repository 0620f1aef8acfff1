"""VMSA: the save area of one vCPU as 4096 bytes, from named registers and back."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.abi.vcpu_start import start_of
from catalog.abi.vmsa_layout import REGISTERS, SEGMENT, SEGMENTS, VMSA_SIZE, page_of
from catalog.errors import MalformedInput

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
    base, values["rip"] = start_of(eip)
    segments["cs"] = Segment(code.selector, code.attrib, code.limit, base)
    return Registers(segments, values)


def encode(registers: Registers) -> bytes:
    """The 4096-byte page; raises as `page_of`."""
    segments = {name: (s.selector, s.attrib, s.limit, s.base) for name, s in registers.segments.items()}
    return page_of(segments, registers.values)


def decode(page: bytes) -> Registers:
    """Every named segment and register, including zeros; raises MalformedInput unless there are 4096 bytes.

    `encode` gives the same page back if `unnamed` finds nothing in it.
    """
    if len(page) != VMSA_SIZE:
        raise MalformedInput(f"a VMSA is {VMSA_SIZE} bytes, not {len(page)}")
    return Registers(
        {name: Segment(*SEGMENT.unpack_from(page, offset)) for name, offset in SEGMENTS.items()},
        {name: struct.unpack_from("<" + width, page, offset)[0] for name, (offset, width) in REGISTERS.items()},
    )


def unnamed(page: bytes | bytearray) -> list[tuple[int, bytes]]:
    """Each run of nonzero bytes that no named register covers, ascending: byte offset and bytes.

    Such as x87 (0x420 to 0x46f), xmm (0x470) and ymm (0x570).
    """
    rest = bytearray(page)
    for offset in SEGMENTS.values():
        rest[offset : offset + SEGMENT.size] = bytes(SEGMENT.size)
    for name, (offset, _) in REGISTERS.items():
        size = register_bits(name) // 8
        rest[offset : offset + size] = bytes(size)
    return [(run.start(), run.group()) for run in _NONZERO.finditer(bytes(rest))]


def register_bits(name: str) -> int:
    """Width of a register in the VMSA, in bits. Raises KeyError for a name that the table lacks."""
    return 8 * struct.calcsize("<" + REGISTERS[name][1])
