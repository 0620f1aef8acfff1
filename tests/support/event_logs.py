"""Event logs of TDs for tests: intact, or broken in a chosen place."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SHA384 = 0x0C
DRIVER_CONFIG, BOOT, APPLICATION, EFI_ACTION = 0x80000001, 0x80000002, 0x80000003, 0x80000007
BLOB2, HANDOFF2, AUTHORITY = 0x8000000A, 0x8000000B, 0x800000E0
NO_ACTION, SEPARATOR, TAG, FLAGS, IPL = 3, 4, 6, 0x0A, 0x0D
GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
SECURITY = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")
QEMU_FILES = bytes.fromhex("72f728144ab61e44b8c39ebdd7f893c7")


class Event(NamedTuple):
    """An event as it is written. digest: None for that of the data."""

    register: int
    type: int
    data: bytes
    digest: bytes | None = None


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def variable(guid: bytes, name: str, data: bytes = b"") -> bytes:
    text = name.encode("utf-16-le")
    return guid + struct.pack("<QQ", len(name), len(data)) + text + data


def blob(text: bytes, base: int = 0xFFC00000, size: int = 0x84000) -> bytes:
    return bytes([len(text)]) + text + struct.pack("<QQ", base, size)


def node(kind: int, subtype: int, data: bytes) -> bytes:
    return struct.pack("<BBH", kind, subtype, 4 + len(data)) + data


def loaded_image(name: str, vendor: bytes = b"") -> bytes:
    """UEFI_IMAGE_LOAD_EVENT of a file, in the file system of a vendor or in any."""
    path = (node(4, 3, vendor) if vendor else b"") + node(4, 4, name.encode("utf-16-le") + bytes(2))
    path += node(0x7F, 0xFF, b"")
    return struct.pack("<QQQQ", 0x7A000000, 0x1000, 0, len(path)) + path


def tagged(tag: int, text: bytes) -> bytes:
    return struct.pack("<II", tag, len(text)) + text


def spec_id(
    algorithms: Sequence[tuple[int, int]] = ((SHA384, 48),), vendor: bytes = b"", count: int | None = None
) -> bytes:
    listed = b"".join(struct.pack("<HH", *one) for one in algorithms)
    fixed = struct.pack("<16sIBBBBI", b"Spec ID Event03\0", 0, 0, 2, 0, 2, len(algorithms) if count is None else count)
    return fixed + listed + bytes([len(vendor)]) + vendor


def record(event: Event, digests: Mapping[int, bytes] | None = None) -> bytes:
    """TCG_PCR_EVENT2. digests: by algorithm, instead of one of SHA-384."""
    held = {SHA384: sha384(event.data) if event.digest is None else event.digest} if digests is None else digests
    listed = b"".join(struct.pack("<H", algorithm) + digest for algorithm, digest in held.items())
    return (
        struct.pack("<III", event.register, event.type, len(held))
        + listed
        + struct.pack("<I", len(event.data))
        + event.data
    )


def event_log(events: Sequence[Event] = (), *, header: bytes | None = None, filling: bytes = b"\xff" * 64) -> bytes:
    """A log in its area. header: instead of that of SHA-384 alone."""
    described = spec_id() if header is None else header
    return (
        struct.pack("<II20sI", 1, NO_ACTION, bytes(20), len(described))
        + described
        + b"".join(map(record, events))
        + filling
    )


def booted(
    *,
    cfv: bytes = sha384(b"variables"),
    variables: Mapping[str, bytes] | None = None,
    kernel: bytes = sha384(b"kernel"),
    command_line: bytes = sha384(b"command line"),
    initrd: bytes = sha384(b"initrd"),
) -> list[Event]:
    """The events of a direct boot, in order. variables: what they hold, by name. The others: digests."""
    held = {"SecureBoot": b"", "PK": b"", "KEK": b"", "db": b"", "dbx": b"", **(variables or {})}
    secure = [
        Event(1, DRIVER_CONFIG, variable(SECURITY if name in ("db", "dbx") else GLOBAL, name, data))
        for name, data in held.items()
    ]
    return [
        Event(1, HANDOFF2, b"\x09TdxTable\0" + bytes(32), sha384(b"TD HOB")),
        Event(1, BLOB2, blob(b"Fv(XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX)\0"), cfv),
        *secure,
        Event(1, SEPARATOR, bytes(4)),
        Event(1, FLAGS, b"ACPI DATA", sha384(b"tables")),
        Event(2, APPLICATION, loaded_image("kernel", QEMU_FILES), kernel),
        Event(1, BOOT, variable(GLOBAL, "BootOrder", bytes(2)), sha384(bytes(2))),
        Event(2, EFI_ACTION, b"Calling EFI Application from Boot Option"),
        Event(3, TAG, tagged(0x8F3B22ED, b"LOADED_IMAGE::LoadOptions\0"), command_line),
        Event(3, TAG, tagged(0x8F3B22EC, b"Linux initrd\0"), initrd),
        Event(2, EFI_ACTION, b"Exit Boot Services Invocation"),
    ]
