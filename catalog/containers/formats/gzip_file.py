"""gzip: RFC 1952, one member or several."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from catalog.containers.container import CHUNK, Compressed
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import GZIP


class Gzip(Compressed):
    """A .gz file."""

    name = "gzip"
    magic = GZIP
    command = "gzip -dc FILE > OVMF.fd"

    def chunks(self, data: bytes | memoryview) -> Iterator[bytes]:
        view, at = memoryview(data), 0
        while at < len(view):
            unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            try:
                while not unpacker.eof:
                    part = unpacker.unconsumed_tail or view[at : at + CHUNK]
                    at += 0 if unpacker.unconsumed_tail else len(part)
                    unpacked = unpacker.decompress(part, CHUNK)
                    if not part and not unpacked:
                        raise MalformedFirmware("it ends within its data")
                    yield unpacked
            except zlib.error as error:
                raise MalformedFirmware(f"{error}") from error
            at -= len(unpacker.unused_data)


FORMAT = Gzip()
