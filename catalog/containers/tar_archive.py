"""tar archives as in Debian packages: ustar, with long names of GNU tar or pax. Python's tarfile bounds no memory.

Source: POSIX, pax Interchange Format; GNU tar manual, Basic Tar Format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.containers.container import MAX_MEMBERS, Member
from catalog.containers.reading import Contents, Reader
from catalog.errors import MalformedFirmware

_BLOCK = 512
_MAX_EXTENDED = 1 << 16
"""Bytes of a long name or of the extended header of one file."""

_CHECKSUM = slice(148, 156)
_HARD_LINK, _SYMBOLIC_LINK = b"1", b"2"
_GNU_NAMES = {b"L": "path", b"K": "linkpath"}
_PAX, _PAX_GLOBAL = b"x", b"g"
_PAX_RECORD = re.compile(rb"(\d{1,6}) ([^=\n]{1,64})=")


def tar_members(reader: Reader) -> Iterator[Member]:
    """The files and links of an archive; raises MalformedFirmware if it is damaged or has more than MAX_MEMBERS."""
    extended: dict[str, str] = {}
    for _ in range(MAX_MEMBERS):
        header = reader.read(_BLOCK)
        if not any(header):
            return
        _check(header)
        kind = header[156:157]
        size = _number(header[124:136])
        contents = Contents(reader, size, _BLOCK)
        if kind in _GNU_NAMES or kind in (_PAX, _PAX_GLOBAL):
            if size > _MAX_EXTENDED:
                raise MalformedFirmware(f"a name in its archive of files has {size} bytes")
            data = contents.read()
            if kind in _GNU_NAMES:
                extended[_GNU_NAMES[kind]] = _text(data)
            elif kind == _PAX:
                extended |= _pax_records(data)
        else:
            yield from _member(header, kind, size, extended, contents)
            extended = {}
        contents.skip()
    raise MalformedFirmware(f"it has more than {MAX_MEMBERS:,} files")


def _member(header: bytes, kind: bytes, size: int, extended: dict[str, str], contents: Contents) -> Iterator[Member]:
    """The file or link of a header; nothing for folders, devices and sparse files."""
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    path = extended.get("path") or (f"{prefix}/" if prefix else "") + _text(header[:100])
    path = path.removeprefix("./").lstrip("/")
    target = extended.get("linkpath") or _text(header[157:257])
    if kind in (b"0", b"\0"):
        yield Member(path, size, None, contents.read)
    elif kind == _SYMBOLIC_LINK:
        yield Member(path, 0, target, bytes)
    elif kind == _HARD_LINK:
        yield Member(path, 0, f"/{target.removeprefix('./').lstrip('/')}", bytes)


def _check(header: bytes) -> None:
    """Raises MalformedFirmware if a header does not have its checksum."""
    if len(header) < _BLOCK or sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" ") != _number(header[_CHECKSUM]):
        raise MalformedFirmware("its archive of files is damaged, or compressed in a way that is not read")


def _number(field: bytes) -> int:
    """An octal number; or a binary one, if the first bit is set, as GNU tar writes what has too many digits."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ") or b"0"
    if not re.fullmatch(rb"[0-7]{1,12}", digits):
        raise MalformedFirmware("its archive of files is damaged, or compressed in a way that is not read")
    return int(digits, 8)


def _pax_records(data: bytes) -> dict[str, str]:
    """The path and the link target in an extended header: records of length, space, key, "=", value and newline."""
    found, at = {}, 0
    while record := _PAX_RECORD.match(data, at):
        end = at + int(record[1])
        if end <= record.end():
            break
        if record[2] in (b"path", b"linkpath"):
            found[record[2].decode()] = _text(data[record.end() : end - 1])
        at = end
    return found


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")
