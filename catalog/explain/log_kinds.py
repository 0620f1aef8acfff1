"""What an event of a TD is of: the firmware's variables, the kernel, its command line, or something not compared.

Source: as for catalog/abi/tdx/event_data.py; trustee deps/eventlog/test_data has logs of edk2, shim, GRUB, systemd.
"""

from __future__ import annotations

from catalog.abi.tdx import event_types
from catalog.abi.tdx.event_data import (
    INITRD_TAG,
    LOAD_OPTIONS_TAG,
    described,
    states_digest,
    tag_of,
    variable_of,
    vendor_media,
)
from catalog.abi.tdx.event_log import REGISTERS, TdEvent
from catalog.firmware.guid import Guid
from catalog.firmware.tdx.rtmr_facts import CFV, EVENTS, VARIABLES
from catalog.firmware.tdx.variables import Name

KERNEL, INITRD, COMMAND_LINE, FILE, FIXED, OTHER = "kernel", "initrd", "command_line", "file", "fixed", "other"
"""Of a direct boot: the kernel, as an application; the initrd; the command line. A whole file, as GRUB and systemd-stub
measure it. What is the same at every boot. What depends on something else.
"""

FIRMWARE = EVENTS
"""The kinds of events that follow from a firmware image."""

QEMU_FILES = Guid.of("1428f772-b64a-441e-b8c3-9ebdd7f893c7")
"""The file system in which edk2 shows the kernel that QEMU passes (QemuKernelLoaderFsDxe)."""

_RTMR0, _RTMR1 = REGISTERS.index("RTMR0"), REGISTERS.index("RTMR1")
_BY_NAME = {name: kind for kind, name in VARIABLES.items()}
_ACTIONS = (
    b"Calling EFI Application from Boot Option",
    b"Returning from EFI Application from Boot Option",
    b"Exit Boot Services Invocation",
    b"Exit Boot Services Returned with Success",
)
_SEPARATOR = bytes(4)
_FILES_OF_FIRMWARE = ("kernel", "initrd", "setup", "cmdline")
"""Events of a blob that QEMU passes, as edk2 of 2022 measured it (BlobMeasurementLibTdx)."""


def kind_of(event: TdEvent) -> str:
    """One of FIRMWARE, or one of the others."""
    kind = event.type
    if kind == event_types.EV_EFI_VARIABLE_DRIVER_CONFIG and event.register == _RTMR0:
        variable = variable_of(event)
        return _BY_NAME.get(Name(Guid(variable.guid), variable.name), OTHER) if variable else OTHER
    if kind == event_types.EV_EFI_PLATFORM_FIRMWARE_BLOB2 and event.register == _RTMR0:
        return CFV
    if kind in event_types.IMAGES:
        return KERNEL
    if kind == event_types.EV_EVENT_TAG:
        return {LOAD_OPTIONS_TAG: COMMAND_LINE, INITRD_TAG: INITRD}.get(tag_of(event) or 0, OTHER)
    if kind in (event_types.EV_SEPARATOR, event_types.EV_EFI_ACTION):
        return FIXED if event.data in (_SEPARATOR, *_ACTIONS) and states_digest(event) else OTHER
    is_blob = kind == event_types.EV_PLATFORM_CONFIG_FLAGS and described(event) in _FILES_OF_FIRMWARE
    return FILE if kind == event_types.EV_IPL or is_blob else OTHER


def must_be_given(event: TdEvent, kind: str) -> bool:
    """Whether an event of a kind is of what the user can name; other applications and files have many owners."""
    if kind == KERNEL:
        return vendor_media(event) == QEMU_FILES.bytes_le
    return kind not in (FILE, FIXED, OTHER)
