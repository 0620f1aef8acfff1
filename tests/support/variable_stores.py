"""Variable stores and images of TDs with modules for tests: intact, or broken in a chosen place."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from catalog.firmware.guid import Guid
from tests.support.firmware_builder import packed_volume
from tests.support.module_builder import module
from tests.support.tdvf_builder import CFV_SIZE, SECTIONS, Tdvf, build_tdvf

TD_TCG2 = Guid.of("f062221e-c607-44c2-b0b4-c3886331d351")
SECURE_BOOT_CONFIG = Guid.of("f0e6a44f-7195-41c3-ac64-54f202cd0a21")
GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
ENABLE = UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
AUTHENTICATED = UUID("aaf32c78-947b-439a-a180-2e144ec37792")

_HEADER = 0x48


class Held(NamedTuple):
    """A variable as it is written. name_size, data_size: those of the header, if they are false."""

    name: str
    data: bytes
    vendor: UUID = GLOBAL
    state: int = 0x3F
    data_size: int | None = None


def variable_store(
    variables: Sequence[Held] = (),
    *,
    size: int = CFV_SIZE,
    attributes: int = 0x4FEFF,
    revision: int = 2,
    checksum: int = 0,
    form: UUID = AUTHENTICATED,
    length: int | None = None,
    healthy: int = 0xFE,
    rest: bytes = b"",
    after: bytes = b"\xff",
) -> bytes:
    """A volume with variables. after: what a variable is aligned with. rest: behind the last one."""
    volume = bytearray(
        struct.pack(
            "<16s16sQ4sIHHHBB",
            bytes(16),
            UUID("fff12b8d-7696-4c8b-a985-2747075b4f50").bytes_le,
            size,
            b"_FVH",
            attributes,
            _HEADER,
            0,
            0,
            0,
            revision,
        ).ljust(_HEADER, b"\0")
    )
    total = sum(word for (word,) in struct.iter_unpack("<H", bytes(volume)))
    struct.pack_into("<H", volume, 50, (-total + checksum) % 0x10000)
    store = struct.pack("<16sIBBHI", form.bytes_le, size - _HEADER if length is None else length, 0x5A, healthy, 0, 0)
    body = b""
    for one in variables:
        name = one.name.encode("utf-16-le") + bytes(2)
        data_size = len(one.data) if one.data_size is None else one.data_size
        header = struct.pack(
            "<HBBIQ16sIII16s", 0x55AA, one.state, 0, 0x27, 0, bytes(16), 0, len(name), data_size, one.vendor.bytes_le
        )
        body += header + name + one.data
        body += after * (-len(body) % 4)
    return (bytes(volume) + store + body + rest).ljust(size, b"\xff")


def td_image(
    store: bytes | None = None,
    modules: Sequence[Guid] = (TD_TCG2,),
    sections: Sequence[Tdvf] = SECTIONS,
    *,
    packed: bytes | None = None,
) -> bytes:
    """An image with TDVF metadata, a variable store, and a compressed volume with modules. packed: instead of that."""
    image = bytearray(build_tdvf(sections))
    held = variable_store() if store is None else store
    image[: len(held)] = held
    volume = (
        packed_volume(bytes(64) + b"".join(module(one, bytes(16)) for one in modules)) if packed is None else packed
    )
    at = CFV_SIZE + 0x1000
    image[at : at + len(volume)] = volume
    return bytes(image)
