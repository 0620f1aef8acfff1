"""Whether a build takes a kernel hashes table, for every technology."""

from __future__ import annotations

from catalog.abi.kernel_table import TABLE_SIZE
from catalog.firmware.component import FirmwareComponent

NOT_COMPUTABLE = "the digest cannot be computed"
"""How the reason begins if a launch is possible, and too little is known of the firmware for its digest."""


def hashes_area_blocker(firmware: FirmwareComponent) -> str | None:
    """Why this build takes no kernel hashes table, or None.

    Source: QEMU target/i386/sev.c, the checks behind kernel-hashes=on.
    """
    if not firmware.knows_hashes_area:
        return f"{NOT_COMPUTABLE}: whether this build has a kernel hashes area, and where, is not known"
    if firmware.hashes_area is None:
        return "this build has no kernel hashes area, so the kernel would not be measured"
    if firmware.hashes_area.size is not None and firmware.hashes_area.size < TABLE_SIZE:
        return f"the kernel hashes area is {firmware.hashes_area.size} bytes, less than its table's {TABLE_SIZE}"
    if firmware.gpa is not None and firmware.hashes_area.gpa + TABLE_SIZE > firmware.gpa:
        return f"the kernel hashes table at {firmware.hashes_area.gpa:#x} would lie in the firmware"
    return None
