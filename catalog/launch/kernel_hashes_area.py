"""Whether a build takes a kernel hashes table, for every technology."""

from __future__ import annotations

from catalog.abi.kernel_table import TABLE_SIZE
from catalog.firmware.component import FirmwareComponent


def hashes_area_blocker(firmware: FirmwareComponent) -> str | None:
    """Why this build takes no kernel hashes table, or None.

    Source: QEMU target/i386/sev.c, the checks behind kernel-hashes=on.
    """
    if firmware.hashes_area is None:
        return "this build has no kernel hashes area, so the kernel would not be measured"
    if firmware.hashes_area.size is not None and firmware.hashes_area.size < TABLE_SIZE:
        return f"the kernel hashes area is {firmware.hashes_area.size} bytes, less than its table's {TABLE_SIZE}"
    if firmware.gpa is not None and firmware.hashes_area.gpa + TABLE_SIZE > firmware.gpa:
        return f"the kernel hashes table at {firmware.hashes_area.gpa:#x} would lie in the firmware"
    return None
