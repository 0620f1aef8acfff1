"""What the data of an event say: variables, files and texts. They are hints: only the digest was extended.

Source: TCG PC Client Platform Firmware Profile 1.06, 10.4 (UEFI_VARIABLE_DATA, UEFI_IMAGE_LOAD_EVENT,
UEFI_PLATFORM_FIRMWARE_BLOB2, UEFI_HANDOFF_TABLE_POINTERS2, TCG_PCClientTaggedEvent); UEFI 2.10, 10.3 (device paths).
"""

from __future__ import annotations

import hashlib
import struct

from catalog.abi.tdx import event_types
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.abi.tdx.event_log import TdEvent

LOAD_OPTIONS_TAG, INITRD_TAG = 0x8F3B22ED, 0x8F3B22EC
"""Tags of the EFI stub of Linux (drivers/firmware/efi/libstub/efistub.h): the command line, and the initrd."""

_MOST_NODES = 64
"""Nodes of a device path that are looked at."""

_MOST_TEXT = 120
_UNTAGGED = b"LOADED_IMAGE::LoadOptions"
_MEDIA, _FILE_PATH, _END = 4, 4, 0x7F


class Variable(Value):
    """A UEFI variable in an event. guid: its 16 bytes in memory."""

    guid: bytes
    name: str
    data: bytes


def variable_of(event: TdEvent) -> Variable | None:
    """The variable of an event; None if its type or its data are not those of one."""
    data = event.data
    if event.type not in event_types.VARIABLES or len(data) < 32:
        return None
    count, size = struct.unpack_from("<QQ", data, 16)
    if 32 + 2 * count + size != len(data):
        return None
    name, end = data[32 : 32 + 2 * count], 32 + 2 * count
    return Variable(data[:16], name.decode("utf-16-le", "replace"), data[end:])


def variable_data(variable: Variable) -> bytes:
    """UEFI_VARIABLE_DATA: GUID, characters of the name (u64), bytes of the data (u64), name in UTF-16, data."""
    name = variable.name.encode("utf-16-le")
    return variable.guid + struct.pack("<QQ", len(name) // 2, len(variable.data)) + name + variable.data


def tag_of(event: TdEvent) -> int | None:
    """The tag of an EV_EVENT_TAG, or the one that the EFI stub had for its text before it wrote tags; else None."""
    if event.type != event_types.EV_EVENT_TAG:
        return None
    if event.data.rstrip(b"\0") == _UNTAGGED:
        return LOAD_OPTIONS_TAG
    return int.from_bytes(event.data[:4], "little") if len(event.data) >= 8 else None


def states_digest(event: TdEvent) -> bool | None:
    """Whether the digest is that of the data; None if the type has digests of something else, and it is not.

    For boot variables, firmware digests what the variable holds.
    """
    variable = variable_of(event)
    digested = [event.data, *([variable.data] if variable else [])]
    if any(hashlib.sha384(one).digest() == event.digest for one in digested):
        return True
    return False if event.type in _DIGESTED else None


_DIGESTED = (
    event_types.EV_SEPARATOR,
    event_types.EV_EFI_VARIABLE_DRIVER_CONFIG,
    event_types.EV_EFI_ACTION,
)


def described(event: TdEvent) -> str:
    """The data in a few words, without characters that cannot be printed; empty if nothing can be said."""
    if variable := variable_of(event):
        return _clean(f"variable {variable.name}, {len(variable.data):,} bytes")
    if event.type == event_types.EV_SEPARATOR:
        return "separator"
    if event.type in event_types.IMAGES:
        return _clean(" ".join(_files(event.data[32:])))
    if event.type in event_types.BLOBS:
        return _clean(_text(event.data[1 : 1 + event.data[0]])) if event.data else ""
    is_tagged = tag_of(event) is not None and not event.data.startswith(_UNTAGGED)
    return _clean(_text(event.data[8:] if is_tagged else event.data))


def vendor_media(event: TdEvent) -> bytes | None:
    """The GUID, 16 bytes in memory, of the vendor-defined medium that an image was loaded from; None without one."""
    for kind, subtype, data in _nodes(event.data[32:]) if event.type in event_types.IMAGES else ():
        if (kind, subtype) == (_MEDIA, 3) and len(data) >= 16:
            return data[:16]
    return None


def _files(path: bytes) -> Iterator[str]:
    """The file paths in a device path."""
    for kind, subtype, data in _nodes(path):
        if (kind, subtype) == (_MEDIA, _FILE_PATH):
            yield data.decode("utf-16-le", "replace").rstrip("\0")


def _nodes(path: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, subtype and data of the first nodes, up to the end of the path or what is broken."""
    at = 0
    for _ in range(_MOST_NODES):
        if len(path) - at < 4 or path[at] == _END:
            return
        size = int.from_bytes(path[at + 2 : at + 4], "little")
        if not 4 <= size <= len(path) - at:
            return
        yield path[at], path[at + 1], path[at + 4 : at + size]
        at += size


def _text(data: bytes) -> str:
    """The beginning of a text in ASCII or UTF-16, up to its NUL."""
    data = data[: 8 * _MOST_TEXT]
    if len(data) >= 4 and len(data) % 2 == 0 and not any(data[1::2]):
        return data.decode("utf-16-le").partition("\0")[0]
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _clean(text: str) -> str:
    shown = text[:_MOST_TEXT]
    shown = "".join(character if character.isprintable() and character != "\ufffd" else "?" for character in shown)
    return shown if len(text) <= _MOST_TEXT else f"{shown}..."
