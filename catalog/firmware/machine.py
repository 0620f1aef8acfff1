"""The processor that a firmware image is for: the machine type of the executables in its volumes.

The first one is of the SEC phase, which runs in place and therefore is not compressed.
Source: PI specification volume 3, EFI_SECTION_TE and EFI_SECTION_PE32; PE/COFF, Machine Types.
"""

from __future__ import annotations

from catalog.errors import MalformedFirmware
from catalog.firmware.lzma_sections import UNPACKED_LIMIT, lzma_sections, unpack, unpacked_size
from catalog.firmware.volumes import files, volumes

X86_64, X86_32 = 0x8664, 0x14C
_NAMES = {
    X86_64: "x86-64",
    X86_32: "32-bit x86",
    0x1C2: "32-bit Arm",
    0xAA64: "Arm (AArch64)",
    0x5032: "32-bit RISC-V",
    0x5064: "RISC-V",
    0x6232: "32-bit LoongArch",
    0x6264: "LoongArch",
}

_PE32, _TE = 0x10, 0x12
_MAX_SECTIONS = 64


def machine_of(image: bytes) -> int | None:
    """The machine type that an image is for; None if no volume holds an executable that is not compressed.

    A build with a 32-bit PEI phase (OvmfPkgIa32X64) is for x86-64: its compressed drivers are.
    """
    first = _first_machine(image)
    return X86_64 if first == X86_32 and _has_x86_64_drivers(image) else first


def machine_name(machine: int) -> str:
    """The name of a machine type that `machine_of` returned."""
    return _NAMES[machine]


def _first_machine(image: bytes) -> int | None:
    for volume in volumes(image):
        for contents in files(image, volume):
            if (machine := _machine_of_file(contents)) in _NAMES:
                return machine
    return None


def _has_x86_64_drivers(image: bytes) -> bool:
    """Whether a compressed volume holds an executable for x86-64, or cannot be unpacked."""
    needle, left = b"PE\0\0" + X86_64.to_bytes(2, "little"), UNPACKED_LIMIT
    for packed in lzma_sections(image):
        tail = b""
        try:
            for part in unpack(packed, limit=left):
                if needle in tail + part:
                    return True
                tail = part[1 - len(needle) :]
        except MalformedFirmware:
            return True
        left -= unpacked_size(packed)
    return False


def _machine_of_file(contents: bytes) -> int | None:
    """The machine type of the first executable section of a file; None without one."""
    at = 0
    for _ in range(_MAX_SECTIONS):
        size, kind = int.from_bytes(contents[at : at + 3], "little"), contents[at + 3 : at + 4]
        if size < 4:
            return None
        body = contents[at + 4 : at + size]
        if kind == bytes([_TE]) and body.startswith(b"VZ"):
            return int.from_bytes(body[2:4], "little")
        if kind == bytes([_PE32]) and body.startswith(b"MZ"):
            header = int.from_bytes(body[0x3C:0x40], "little")
            return int.from_bytes(body[header + 4 : header + 6], "little") if body[header:][:4] == b"PE\0\0" else None
        at += size + -size % 4
    return None
