"""bzip2: one stream or several."""

from __future__ import annotations

import bz2
from collections.abc import Iterator

from catalog.containers.container import Compressed
from catalog.containers.pumping import unpacked
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import BZIP2


class Bzip2(Compressed):
    """A .bz2 file."""

    name = "bzip2"
    magic = BZIP2
    command = "bzip2 -dc FILE > OVMF.fd"

    def chunks(self, data: bytes | memoryview) -> Iterator[bytes]:
        try:
            yield from unpacked(data, bz2.BZ2Decompressor)
        except (OSError, ValueError, EOFError) as error:
            raise MalformedFirmware(f"{str(error)[:1].lower()}{str(error)[1:]}") from error


FORMAT = Bzip2()
