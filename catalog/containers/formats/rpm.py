"""RPM packages: lead, two headers, and a compressed cpio archive. Source: RPM file format V4; cpio(5), newc."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from catalog.containers.container import MAX_MEMBERS, Member, Package
from catalog.containers.reading import Contents, Reader
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import RPM

_LEAD_SIZE = 96
_HEADER_MAGIC = b"\x8e\xad\xe8"
_CPIO_HEADER_SIZE = 110
_STRIPPED = b"07070X"
_MODE, _SIZE, _NAME_SIZE = 1, 6, 11
_KIND, _REGULAR, _SYMLINK = 0o170000, 0o100000, 0o120000
_MAX_NAME = 4096


class Rpm(Package):
    """A .rpm file."""

    name = "RPM package"
    magic = RPM
    command = "rpm2cpio FILE | cpio -id"

    def members(self, data: bytes, unpack: Callable[[memoryview], Iterator[bytes]]) -> Iterator[Member]:
        signature_end = _header_end(data, _LEAD_SIZE)
        payload = _header_end(data, signature_end + -signature_end % 8)
        reader = Reader(unpack(memoryview(data)[payload:]))
        for _ in range(MAX_MEMBERS):
            member, contents = _next_member(reader)
            if member is None:
                return
            yield member
            contents.skip()
        raise MalformedFirmware(f"it has more than {MAX_MEMBERS:,} files")


def _header_end(data: bytes, at: int) -> int:
    """The offset after a header: 16 bytes, an index of 16 bytes an entry, and a store."""
    if data[at : at + 3] != _HEADER_MAGIC or at + 16 > len(data):
        raise MalformedFirmware("a header of it is damaged")
    entries, store = (int.from_bytes(data[at + 8 + 4 * n : at + 12 + 4 * n], "big") for n in range(2))
    return at + 16 + 16 * entries + store


def _next_member(reader: Reader) -> tuple[Member | None, Contents]:
    """The next file, or None at the end of the archive; and its contents."""
    header = reader.read(_CPIO_HEADER_SIZE)
    if header.startswith(_STRIPPED):
        raise MalformedFirmware("its archive of files is of the form for large files (07070X), which is not read")
    if header[:6] not in (b"070701", b"070702") or len(header) < _CPIO_HEADER_SIZE:
        raise MalformedFirmware("its archive of files is damaged, or compressed in a way that is not read")
    try:
        fields = [int(header[at : at + 8], 16) for at in range(6, _CPIO_HEADER_SIZE, 8)]
    except ValueError as error:
        raise MalformedFirmware("its archive of files is damaged") from error
    mode, size, name_size = fields[_MODE], fields[_SIZE], fields[_NAME_SIZE]
    if not 0 < name_size <= _MAX_NAME:
        raise MalformedFirmware("its archive of files is damaged")
    name = reader.read(name_size)[:-1].decode("utf-8", "surrogateescape")
    reader.skip(-(_CPIO_HEADER_SIZE + name_size) % 4)
    if name == "TRAILER!!!":
        return None, Contents(reader, 0, 4)
    contents = Contents(reader, size, 4)
    path = name.removeprefix("./").lstrip("/")
    if mode & _KIND == _SYMLINK and size <= _MAX_NAME:
        return Member(path, 0, contents.read().decode("utf-8", "surrogateescape"), bytes), contents
    if mode & _KIND == _REGULAR:
        return Member(path, size, None, contents.read), contents
    return Member(path, 0, None, bytes), contents


FORMAT = Rpm()
