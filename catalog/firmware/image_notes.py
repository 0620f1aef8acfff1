"""Notes on an image: what speaks against its launch under AMD SEV although it has a GUID table.

Sources: QEMU hw/i386/x86-common.c (x86_bios_rom_init), hw/i386/pc_sysfw.c; COCONUT-SVSM (SVSM info GUID);
Linux arch/x86/kernel/csv-shared.c of Hygon (CSV3_SECURE_CALL_GUID).
"""

from __future__ import annotations

from catalog.firmware.guid import Guid
from catalog.firmware.guid_table import SEV_METADATA, SVSM_INFO, TDX_METADATA
from catalog.firmware.machine import X86_64, machine_name, machine_of
from catalog.firmware.volumes import begins_with_volume
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.firmware.ovmf import OvmfImage

FLASH_LIMIT = 16 << 20
"""Bytes: the most that QEMU maps as flash, with max-fw-size; without it 8 MiB."""

_BIOS_UNIT = 64 << 10
_CSV_TIME_LOW = (0x1B4C70E6, 0x9A5D926F)
"""The first field of the GUIDs in builds for Hygon CSV.

The second is CSV3_SECURE_CALL_GUID, 9a5d926f-2fa5-ceba-ab21-6b275d5556a5; no source of the whole first one was found.
"""


def image_notes(image: OvmfImage, name: str) -> list[Note]:
    """What a launch of the image meets; empty for images as edk2 builds them for x86-64. name: of the image."""
    found = {**_kinds(image), **_mappings(image.data)}
    return [Note(code, f"{name}: {text}") for code, text in found.items()]


def _kinds(image: OvmfImage) -> dict[str, str]:
    """Texts by the code of the note: what the image is instead of OVMF for AMD SEV."""
    found = {}
    if SVSM_INFO in image.table:
        found["image-is-svsm"] = "it is an SVSM (COCONUT-SVSM), not the firmware of a guest: no VMM maps it as one"
    if any(_is_of_csv(guid) for guid in image.table):
        found["image-for-hygon-csv"] = "it is built for Hygon CSV; ldcat computes digests of AMD SEV alone"
    if TDX_METADATA in image.table and SEV_METADATA not in image.table:
        found["image-without-sev-metadata"] = "it has TDX metadata and no SEV metadata"
    machine = machine_of(image.data)
    if machine not in (None, X86_64):
        found["image-for-other-machine"] = f"it is firmware for {machine_name(machine)}, and a SEV guest needs x86-64"
    return found


def _mappings(image: bytes) -> dict[str, str]:
    """Texts by the code of the note: what a VMM can do with an image of this size and start."""
    size, found = len(image), dict[str, str]()
    if not begins_with_volume(image):
        text = "it does not begin with a firmware volume, as every OVMF image does: it may be a part of one"
        found["image-maybe-part"] = text
    if size % _BIOS_UNIT:
        text = f"{size} bytes are not a multiple of 64 KiB: QEMU maps them as flash, not with -bios"
        found["image-needs-flash"] = text
    if size > FLASH_LIMIT:
        found["image-too-large"] = f"{size} bytes are more than the 16 MiB that QEMU maps at most"
    return found


def _is_of_csv(guid: Guid) -> bool:
    return guid.time_low in _CSV_TIME_LOW
