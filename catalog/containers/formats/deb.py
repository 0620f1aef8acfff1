"""Debian packages: deb(5), an ar archive whose member data.tar.* holds the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from catalog.containers.container import Member, Package
from catalog.containers.reading import Reader
from catalog.containers.tar_archive import tar_members
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import DEB

_AR_MAGIC_SIZE = 8
_AR_HEADER_SIZE = 60


class Deb(Package):
    """A .deb file."""

    name = "Debian package"
    magic = DEB
    command = "dpkg-deb --extract FILE folder"

    def members(self, data: bytes, unpack: Callable[[memoryview], Iterator[bytes]]) -> Iterator[Member]:
        return tar_members(Reader(unpack(_data_archive(data))))


def _data_archive(data: bytes) -> memoryview:
    """The ar member data.tar or data.tar.*; raises MalformedFirmware if there is none."""
    at = _AR_MAGIC_SIZE
    while at + _AR_HEADER_SIZE <= len(data):
        header = data[at : at + _AR_HEADER_SIZE]
        size = header[48:58].strip()
        if header[58:] != b"`\n" or not size.isdigit():
            break
        at += _AR_HEADER_SIZE
        if header[:16].rstrip().rstrip(b"/").startswith(b"data.tar"):
            return memoryview(data)[at : at + int(size)]
        at += int(size) + int(size) % 2
    raise MalformedFirmware("it has no data.tar")


FORMAT = Deb()
