"""Zstandard frames: how long each is and how much memory it needs, before it is unpacked. Source: RFC 8878."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.containers.container import CHUNK
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import ZSTD

MAX_WINDOW = 32 << 20
"""Bytes that a decoder has to keep; `zstd -19` and packages need 8 MiB."""

_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_RLE, _RESERVED = 1, 3


def unpack_frames(view: memoryview) -> Iterator[bytes]:
    """The contents of whole frames, at most CHUNK bytes at a time; raises MalformedFirmware if they are damaged."""
    import pyarrow as pa  # it takes long to load

    try:
        with pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(view)), "zstd") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
        raise MalformedFirmware(f"a zstd frame is damaged: {error}") from error


def end_of_frame(view: memoryview, at: int) -> int:
    """The offset after the frame at `at`; RFC 8878, section 3.1.

    Raises MalformedFirmware if there is no whole frame, or if it needs more than MAX_WINDOW.
    """
    if int.from_bytes(view[at : at + 4], "little") in _SKIPPABLE:
        size = int.from_bytes(_bytes(view, at + 4, 4), "little")
        return at + 8 + len(_bytes(view, at + 8, size))
    if bytes(view[at : at + 4]) != ZSTD:
        raise MalformedFirmware("bytes follow its last frame")
    descriptor = _bytes(view, at + 4, 1)[0]
    single_segment, has_checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    at += 5
    if not single_segment:
        window = _bytes(view, at, 1)[0]
        base = 1 << 10 + (window >> 3)
        size, at = base + (base >> 3) * (window & 7), at + 1
    at += (0, 1, 2, 4)[descriptor & 3]
    field = (single_segment, 2, 4, 8)[descriptor >> 6]
    if single_segment:  # the window is the whole content; a two-byte field is offset by 256
        size = int.from_bytes(_bytes(view, at, field), "little") + (256 if field == 2 else 0)
    at += field
    if size > MAX_WINDOW:
        raise MalformedFirmware(f"its zstd window of {size} bytes is larger than {MAX_WINDOW >> 20} MiB")
    last = 0
    while not last:
        header = int.from_bytes(_bytes(view, at, 3), "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise MalformedFirmware("a block is of a reserved type")
        at += 3 + (1 if kind == _RLE else size)
    _bytes(view, at + 4 * has_checksum - 1, 1)
    return at + 4 * has_checksum


def _bytes(view: memoryview, at: int, size: int) -> bytes:
    part = bytes(view[at : at + size])
    if len(part) < size:
        raise MalformedFirmware("it ends within its data")
    return part
