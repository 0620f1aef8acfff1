"""Modules of a firmware volume: found by file GUID in contents that come part by part.

Source: PI specification volume 3, EFI_FFS_FILE_HEADER and its header checksum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from catalog.firmware.guid import Guid

MODULE_LIMIT = 4 << 20
"""Bytes of the largest module that is looked at. Those of OVMF have at most 1 MiB."""

TRIES_LIMIT = 4096
"""Places that are tried as a header before the search ends. Published images have the GUIDs of two modules 5 times."""

_HEADER_SIZE = 24
_GUID_SIZE = 16
_DRIVER, _APPLICATION = 0x07, 0x09
_FILE_CHECKSUM_AT, _STATE_AT = 17, 23  # not part of the header's checksum


@dataclass(slots=True)
class ModuleFinder:
    """Finds drivers and applications by file GUID. At most MODULE_LIMIT and one part are kept in memory.

    guids: file GUIDs of the modules.
    gave_up: whether there were more than TRIES_LIMIT places to try; nothing is found from then on.
    """

    guids: Iterable[Guid]
    gave_up: bool = field(init=False, default=False)
    _tries: int = field(init=False, default=0)
    _names: tuple[bytes, ...] = field(init=False)
    _window: bytearray = field(init=False, default_factory=bytearray)

    def __post_init__(self) -> None:
        self._names = tuple(guid.bytes_le for guid in self.guids)

    def feed(self, part: bytes) -> Iterator[tuple[Guid, bytes]]:
        """GUID and whole file of every module that ends in this part, headers included, in order."""
        if self.gave_up:
            return
        self._window += part
        while (found := self._next_header()) is not None:
            start, size = found
            if len(self._window) < start + size:
                del self._window[:start]
                return
            module = bytes(self._window[start : start + size])
            del self._window[: start + size]
            yield Guid(module[:16]), module
        del self._window[: max(0, len(self._window) - _HEADER_SIZE + 1)]

    def _next_header(self) -> tuple[int, int] | None:
        """Offset and file size of the first complete header; a GUID without one is a reference to the module."""
        for start in self._places():
            self._tries += 1
            if self._tries > TRIES_LIMIT:
                self.gave_up = True
                return None
            header = self._window[start : start + _HEADER_SIZE]
            if len(header) < _HEADER_SIZE:
                return None
            size = int.from_bytes(header[20:23], "little")
            checksum = sum(header) - header[_FILE_CHECKSUM_AT] - header[_STATE_AT]
            if header[18] in (_DRIVER, _APPLICATION) and checksum % 256 == 0 and _HEADER_SIZE < size <= MODULE_LIMIT:
                return start, size
        return None

    def _places(self) -> Iterator[int]:
        """Where GUIDs are, in order; each is searched once from the start to the end, which is faster than `re`."""
        after = {name: self._window.find(name) for name in self._names}
        while there := [place for place in after.values() if place >= 0]:
            place = min(there)
            yield place
            end = place + _GUID_SIZE
            for name, known in after.items():
                if 0 <= known < end:
                    after[name] = self._window.find(name, end)
