"""Direct boot of Linux in a TD: what firmware and kernel measure of the files that QEMU passes.

Source: QEMU hw/i386/x86-common.c, x86_load_linux (the setup header); edk2 OvmfPkg/Library/X86QemuLoadImageLib and
GenericQemuLoadImageLib (the command line gets " initrd=initrd"); Linux drivers/firmware/efi/libstub/efi-stub-helper.c
(both are measured with a NUL, and as they are).
"""

from __future__ import annotations

import hashlib
import struct

LEAST_MEMORY = 0xB0000000
"""Bytes of memory from which q35 has 2 GiB of it below 4 GiB: then QEMU places every initrd below that."""

_LOW_MEMORY = 0x80000000
_ACPI_DATA = 0x28000
"""Bytes that QEMU leaves free for ACPI tables below the end of that memory (PCMachineClass.acpi_data_size)."""

_REAL_MODE, _COMMAND_LINE = 0x10000, 0x20000
_HEADER_END = 0x268
_ABOVE_4G = 0x02  # XLF_CAN_BE_LOADED_ABOVE_4G


def command_line_sha384(text: str, *, has_initrd: bool) -> bytes:
    """The digest of the event LOADED_IMAGE::LoadOptions: UTF-16 with a NUL."""
    return hashlib.sha384((text + " initrd=initrd" * has_initrd + "\0").encode("utf-16-le", "surrogatepass")).digest()


def patched_kernel(kernel: bytes, initrd_size: int | None) -> bytes | None:
    """The kernel as QEMU patches its setup header, for a TD with at least LEAST_MEMORY; None if it does not.

    initrd_size: bytes; None without an initrd. QEMU does so unless it leaves kernels of confidential guests alone, and
    OVMF before edk2-stable202505 boots what it gets. A command line with `vga=` changes the header further.
    """
    if len(kernel) < _HEADER_END or kernel[0x202:0x206] != b"HdrS":
        return None
    protocol = int.from_bytes(kernel[0x206:0x208], "little")
    if protocol < 0x203 or not kernel[0x211] & 1:
        return None
    made = bytearray(kernel)
    made[0x210] = 0xB0
    made[0x211] |= 0x80
    struct.pack_into("<H", made, 0x224, _COMMAND_LINE - _REAL_MODE - 0x200)
    struct.pack_into("<I", made, 0x228, _COMMAND_LINE)
    if initrd_size is not None:
        most = min(_highest(kernel, protocol), _LOW_MEMORY - _ACPI_DATA - 1)
        if initrd_size >= most:
            return None
        struct.pack_into("<II", made, 0x218, (most - initrd_size) & ~0xFFF, initrd_size)
    return bytes(made)


def _highest(kernel: bytes, protocol: int) -> int:
    """The highest address of an initrd, according to the kernel."""
    if protocol >= 0x20C and kernel[0x236] & _ABOVE_4G:
        return 0xFFFFFFFF
    return int.from_bytes(kernel[0x22C:0x230], "little")
