"""UEFI variables in the variable store of an image, read as strictly as OVMF validates it in a TD.

Source: edk2 MdeModulePkg/Include/Guid/VariableFormat.h (VARIABLE_STORE_HEADER, AUTHENTICATED_VARIABLE_HEADER), and
OvmfPkg/Library/PlatformInitLib/Platform.c, PlatformValidateNvVarStore.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from catalog.errors import MalformedFirmware
from catalog.firmware.guid import Guid
from catalog.firmware.volumes import SIGNATURE, VARIABLE_STORE

AUTHENTICATED_STORE = Guid.of("aaf32c78-947b-439a-a180-2e144ec37792")

_VOLUME = struct.Struct("<16s16sQ4sIHHHBB")
_STORE = struct.Struct("<16sIBBHI")
_VARIABLE = struct.Struct("<HBBIQ16sIII16s")
_ATTRIBUTES, _REVISION = 0x4FEFF, 2
_FORMATTED, _HEALTHY = 0x5A, 0xFE
_START = 0x55AA
_ADDED, _BEING_REPLACED = 0x3F, 0x3E
_OTHER_STATES = (0x7F, 0x3D, 0x3C)
"""Only the header was written; the variable is deleted; it is deleted after it was replaced."""


class Name(NamedTuple):
    """What a variable is called: the GUID of a vendor, and a text."""

    vendor: Guid
    text: str


def read_variables(store: bytes) -> Mapping[Name, bytes]:
    """What each variable holds; raises MalformedFirmware for a store that OVMF refuses.

    store: a volume that holds variables, as a TDVF section CFV does. A variable that is being replaced counts only if
    its new value is not there.
    """
    data = _contents(store)
    added: dict[Name, bytes] = {}
    replaced: dict[Name, bytes] = {}
    at = 0
    while at + _VARIABLE.size <= len(data):
        start, state, _, _, _, _, _, name_size, size, vendor = _VARIABLE.unpack_from(data, at)
        if start != _START:
            break
        end = at + _VARIABLE.size + name_size + size
        if state not in (_ADDED, _BEING_REPLACED, *_OTHER_STATES) or end > len(data):
            raise MalformedFirmware(f"variable store: the variable at {at:#x} has an unknown state, or does not end")
        text = data[at + _VARIABLE.size :][:name_size].decode("utf-16-le", "replace").rstrip("\0")
        if state in (_ADDED, _BEING_REPLACED):
            (added if state == _ADDED else replaced).setdefault(Name(Guid(vendor), text), data[end - size : end])
        at = end + -end % 4
        if data[end:at].strip(b"\xff"):
            raise MalformedFirmware(f"variable store: the variable before {at:#x} is not followed by 0xff")
    if data[at:].strip(b"\xff"):
        raise MalformedFirmware(f"variable store: neither a variable nor 0xff at {at:#x}")
    return {**replaced, **added}


def _contents(store: bytes) -> bytes:
    """The variables of a volume, one after the other; raises MalformedFirmware for a broken header."""
    if len(store) < _VOLUME.size:
        raise MalformedFirmware("variable store: it is too short")
    zero, kind, size, signature, attributes, header, _, _, _, revision = _VOLUME.unpack_from(store)
    if any(zero) or kind != VARIABLE_STORE.bytes_le or signature != SIGNATURE or size != len(store):
        raise MalformedFirmware("variable store: it is no volume of this size that holds variables")
    if attributes != _ATTRIBUTES or revision != _REVISION or header % 2 or header + _STORE.size > size:
        raise MalformedFirmware("variable store: the header of the volume is not one that OVMF takes")
    if sum(word for (word,) in struct.iter_unpack("<H", store[:header])) % 0x10000:
        raise MalformedFirmware("variable store: the checksum of the volume is wrong")
    form, length, formatted, healthy, _, _ = _STORE.unpack_from(store, header)
    if form != AUTHENTICATED_STORE.bytes_le or (formatted, healthy) != (_FORMATTED, _HEALTHY):
        raise MalformedFirmware("variable store: it is no healthy store of authenticated variables")
    if not _STORE.size <= length <= size - header:
        raise MalformedFirmware(f"variable store: its size {length:#x} does not fit in the volume")
    return store[header + _STORE.size : header + length]
