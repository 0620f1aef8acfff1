"""Zstandard: RFC 8878, one frame or several, of which none may need a large window."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.containers.container import Compressed
from catalog.containers.zstd_frames import end_of_frame, unpack_frames
from catalog.firmware.foreign_files import ZSTD


class Zstd(Compressed):
    """A .zst file."""

    name = "zstd"
    magic = ZSTD
    command = "zstd -dc --long=31 FILE > OVMF.fd"

    def chunks(self, data: bytes | memoryview) -> Iterator[bytes]:
        view, at = memoryview(data), 0
        while at < len(view):
            at = end_of_frame(view, at)
        yield from unpack_frames(view)


FORMAT = Zstd()
