"""Debian packages: deb(5), an ar archive whose member data.tar.* holds the files."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator

from catalog.containers.container import MAX_MEMBERS, Member, Package
from catalog.containers.reading import Reader
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import DEB

_AR_MAGIC_SIZE = 8
_AR_HEADER_SIZE = 60
_TAR_ERRORS = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError)


class Deb(Package):
    """A .deb file."""

    name = "Debian package"
    magic = DEB
    command = "dpkg-deb --extract FILE folder"

    def members(self, data: bytes, unpack: Callable[[memoryview], Iterator[bytes]]) -> Iterator[Member]:
        reader = Reader(unpack(_data_archive(data)))
        try:
            with tarfile.open(fileobj=reader, mode="r|") as archive:  # type: ignore[call-overload]
                for count, entry in enumerate(archive):
                    if count >= MAX_MEMBERS:
                        raise MalformedFirmware(f"it has more than {MAX_MEMBERS:,} files")
                    archive.members = []  # else tarfile keeps all
                    if entry.isreg() or entry.islnk() or entry.issym():
                        yield _member(archive, entry)
        except _TAR_ERRORS as error:
            raise _damaged(error) from error


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Member:
    def read() -> bytes:
        if entry.issparse():
            raise MalformedFirmware(f"{entry.name} is a sparse file, which is not read")
        try:
            file = archive.extractfile(entry)
            return b"" if file is None else file.read()
        except _TAR_ERRORS as error:
            raise _damaged(error) from error

    path = entry.name.removeprefix("./").lstrip("/")
    target = None if entry.isreg() else f"/{entry.linkname.removeprefix('./')}" if entry.islnk() else entry.linkname
    return Member(path, entry.size, target, read)


def _damaged(error: BaseException) -> MalformedFirmware:
    return MalformedFirmware(f"its archive of files is damaged: {error}")


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
