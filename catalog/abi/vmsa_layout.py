"""The layout of the VMSA: where each segment and register lies, and a page from their values.

Source: AMD APM volume 2, appendix B, table B-4 (state save area of SEV-ES and SEV-SNP guests).
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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

SEGMENT = struct.Struct("<HHIQ")

FIELDS = {
    **{name: (at, SEGMENT.size) for name, at in SEGMENTS.items()},
    **{
        f"{name}.{part}": (at + offset, bits // 8)
        for name, at in SEGMENTS.items()
        for (part, bits), offset in zip(SEGMENT_BITS.items(), (0, 2, 4, 8), strict=True)
    },
    **{name: (at, struct.calcsize(width)) for name, (at, width) in REGISTERS.items()},
}
"""Byte offset and size in bytes of each segment register, of each of its fields (`cs.base`), and of each register."""


def page_of(segments: Mapping[str, tuple[int, int, int, int]], values: Mapping[str, int]) -> bytes:
    """The 4096-byte page. segments: selector, attrib, limit and base by name. values: of registers, by name.

    Raises KeyError for a name that the tables above lack, struct.error for too large a value.
    """
    page = bytearray(VMSA_SIZE)
    for name, fields in segments.items():
        SEGMENT.pack_into(page, SEGMENTS[name], *fields)
    for name, value in values.items():
        offset, width = REGISTERS[name]
        struct.pack_into("<" + width, page, offset, value)
    return bytes(page)
