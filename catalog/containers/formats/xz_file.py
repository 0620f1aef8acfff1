"""xz: one stream or several, of the .xz file format, version 1.2.1."""

from __future__ import annotations

import lzma
from collections.abc import Iterator

from catalog.containers.container import Compressed
from catalog.containers.pumping import unpacked
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import XZ

MEMORY_LIMIT = 68 << 20
"""Bytes for the decoder: the largest preset, `xz -9`, needs 65 MiB."""


class Xz(Compressed):
    """A .xz file."""

    name = "xz"
    magic = XZ
    command = "xz -dc FILE > OVMF.fd"

    def chunks(self, data: bytes | memoryview) -> Iterator[bytes]:
        try:
            yield from unpacked(data, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT))
        except (lzma.LZMAError, EOFError) as error:
            raise MalformedFirmware(f"{str(error)[:1].lower()}{str(error)[1:]}") from error


FORMAT = Xz()
