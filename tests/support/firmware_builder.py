"""OVMF-like images for tests: with every structure that the parser reads, intact or broken in a chosen place."""

from __future__ import annotations

import lzma
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from catalog.firmware.metadata import Area, Section

FOOTER = UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
RESET_BLOCK = UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
HASHES_AREA = UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
METADATA = UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
TDX_METADATA = UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
LZMA_SECTION = UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf")
NV_DATA = UUID("fff12b8d-7696-4c8b-a985-2747075b4f50")
KERNEL_ENTRY = UUID("4de79437-abd2-427f-b835-d5b172d2045b")

PAGE = 4096
RESET_VECTOR = 0x80B004
VOLUME_AT = 0x48
"""Where the builder puts a packed volume; not aligned to a page."""

AMDSEV_AREA = Area(0x810C00, 0x400)
AMDSEV_SECTIONS = (
    Section(0x800000, 0x9000, 1),
    Section(0x80A000, 0x3000, 1),
    Section(0x80D000, 0x1000, 2),
    Section(0x80E000, 0x1000, 3),
    Section(0x80F000, 0x1000, 4),
    Section(0x811000, 0x1F000, 1),
    Section(0x810000, 0x1000, 0x10),
)
"""The layout of AmdSevX64 builds since edk2-stable202511."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Values written instead of the right ones; by default everything is right."""

    table_length: int | None = None
    entry_lengths: Mapping[UUID, int] = field(default_factory=dict)
    entry_data: Mapping[UUID, bytes] = field(default_factory=dict)
    doubled: UUID | None = None
    standalone_length: int = 22
    metadata_magic: bytes = b"ASEV"
    metadata_version: int = 1
    metadata_length: int | None = None
    metadata_count: int | None = None
    metadata_offset: int | None = None


WHOLE = Broken()


def build_ovmf(
    *,
    pages: int = 2,
    seed: int = 0,
    reset_vector: int | None = RESET_VECTOR,
    hashes_area: Area | None = None,
    sections: Sequence[Section] | None = None,
    extra: Mapping[UUID, bytes] | None = None,
    order: Sequence[UUID] | None = None,
    standalone_reset_block: bool = False,
    volume: bytes = b"",
    broken: Broken = WHOLE,
) -> bytes:
    """An image of `pages` pages: filler from `seed`, a reset vector, and the requested structures.

    None leaves an entry out of the GUID table; hashes_area may have base 0. order: GUIDs from the footer
    towards the start, otherwise shuffled by `seed`. standalone_reset_block: edk2 2020, no table at all, but the
    signatures of a firmware volume and of the reset vector.
    """
    chance = random.Random(seed)
    image = bytearray(chance.randbytes(pages * PAGE))
    image[-32:] = bytes(16) + b"\x90\x90\xe9" + chance.randbytes(13)
    if volume:
        image[VOLUME_AT : VOLUME_AT + len(volume)] = volume
    if standalone_reset_block:
        image[0x28:0x2C], image[-20:-16] = b"_FVH", b"VTF\0"
        _place(image, 32, struct.pack("<IH", reset_vector or 0, broken.standalone_length) + RESET_BLOCK.bytes_le)
        return bytes(image)

    entries: dict[UUID, bytes] = dict(extra or {})
    if reset_vector is not None:
        entries[RESET_BLOCK] = struct.pack("<I", reset_vector)
    if hashes_area is not None:
        entries[HASHES_AREA] = struct.pack("<II", hashes_area.gpa, hashes_area.size)
    if sections is not None:
        entries[METADATA] = bytes(4)
    listed = list(order) if order is not None else chance.sample(sorted(entries, key=str), len(entries))
    walked = [(guid, broken.entry_data.get(guid, entries[guid])) for guid in listed]
    if broken.doubled:
        walked.append((broken.doubled, entries[broken.doubled]))

    table_size = 18 + sum(18 + len(data) for _, data in walked)
    if sections is not None:
        metadata = _metadata(sections, broken)
        offset = 32 + table_size + chance.randrange(64) + len(metadata)
        _place(image, offset - len(metadata), metadata)
        pointer = offset if broken.metadata_offset is None else broken.metadata_offset
        right = struct.pack("<I", pointer)
        walked = [(g, broken.entry_data.get(g, right) if g == METADATA else d) for g, d in walked]
    _place(image, 32, _table(walked, table_size, broken))
    return bytes(image)


def packed_volume(
    contents: bytes,
    *,
    claimed_size: int | None = None,
    dictionary: int | None = None,
    properties: int | None = None,
    cut: int = 0,
    section_type: int = 2,
    section_size: int | None = None,
    data_offset: int = 24,
) -> bytes:
    """A GUID-defined section with `contents` as LZMA_ALONE, packed like edk2 does; each field may be false.

    cut: bytes removed from the end of the packed stream.
    """
    stream = bytearray(lzma.compress(contents, format=lzma.FORMAT_ALONE, preset=0))
    stream[5:13] = struct.pack("<Q", len(contents) if claimed_size is None else claimed_size)
    if dictionary is not None:
        stream[1:5] = struct.pack("<I", dictionary)
    if properties is not None:
        stream[0] = properties
    packed = bytes(stream[: len(stream) - cut])
    size = 24 + len(packed) if section_size is None else section_size
    header = size.to_bytes(3, "little") + bytes([section_type]) + LZMA_SECTION.bytes_le
    return header + struct.pack("<HH", data_offset, 1) + packed


def variable_store(size: int) -> bytes:
    """A volume of variables of `size` bytes, as combined images begin with: its header, and erased flash."""
    header = bytes(16) + NV_DATA.bytes_le + struct.pack("<Q", size) + b"_FVH" + bytes(12)
    return header + b"\xff" * (size - len(header))


def volume_contents(*, verifier: bool, size: int = 3000, at: int = 1234, seed: int = 0) -> bytes:
    """Contents of a compressed volume: filler, and the blob verifier's kernel GUID at `at` if it is linked."""
    contents = bytearray((random.Random(seed).randbytes(257) * (size // 257 + 1))[:size])
    if verifier:
        contents[at : at + 16] = KERNEL_ENTRY.bytes_le
    return bytes(contents)


def _place(image: bytearray, from_end: int, data: bytes) -> None:
    """Write `data` so that it ends `from_end` bytes before the end."""
    end = len(image) - from_end
    if end < len(data):
        raise ValueError("the image has too few pages for what it is to hold")
    image[end - len(data) : end] = data


def _table(walked: Sequence[tuple[UUID, bytes]], size: int, broken: Broken) -> bytes:
    length = size if broken.table_length is None else broken.table_length
    table = struct.pack("<H", length) + FOOTER.bytes_le
    for guid, data in walked:
        entry_length = broken.entry_lengths.get(guid, len(data) + 18)
        table = data + struct.pack("<H", entry_length) + guid.bytes_le + table
    return table


def _metadata(sections: Sequence[Section], broken: Broken) -> bytes:
    length = 16 + 12 * len(sections) if broken.metadata_length is None else broken.metadata_length
    count = len(sections) if broken.metadata_count is None else broken.metadata_count
    header = broken.metadata_magic + struct.pack("<III", length, broken.metadata_version, count)
    return header + b"".join(struct.pack("<III", s.gpa, s.size, s.kind) for s in sections)
