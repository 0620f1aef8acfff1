"""Writes new files under partial names, and gives them their names, many with one call of compiled code."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.files.writer import NEW_FILE, PRIVATE_FILE

try:
    from catalog.files._new_files import ffi, lib
except ImportError:
    ffi = lib = None

__all__ = ["Data", "NewFile", "lib", "name_new", "write_new"]

Data = bytes | bytearray | memoryview

_LARGE = 64 << 10
"""Bytes: files that are not kept in the page cache, which costs more than the disk on a virtual machine whose host
has to provide each new page.
"""

_DONTCACHE = 0x80
"""RWF_DONTCACHE of pwritev2(2), which Python has no name for."""

_UNKNOWN = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM)
"""What a system says that does not know the call or the flag; some filters of system calls say EPERM."""


@dataclass(slots=True)
class NewFile:
    """A file that has a partial name.

    folder: descriptor. path: that the file gets; its last part is the name in the folder.
    stays_open: whether it does once it is written. is_synced: whether it is, if it does not.
    descriptor: of a file that is open, else -1.
    """

    folder: int
    partial: str
    path: str
    stays_open: bool
    is_synced: bool
    descriptor: int = -1

    @property
    def name(self) -> str:
        """The name that the file gets in its folder."""
        return self.path.rpartition("/")[2]


def write_new(files: Sequence[NewFile], data: Sequence[Data], *, private: bool) -> None:
    """Write new files in open folders. data: the bytes of each. private: readable by their owner only.

    Raises OSError, whose filename is the path of the file that could not be written; others are written or not.
    """
    if lib and not private:
        _call(lib.ldcat_write_files, files, data)
        return
    for file, each in zip(files, data, strict=True):
        try:
            file.descriptor = _write(file, each, private=private)
        except OSError as error:
            raise _at(file, error.errno) from error


def name_new(files: Sequence[NewFile]) -> None:
    """Give written files their names, in place of files that have them. Raises OSError as `write_new`."""
    if lib:
        _call(lib.ldcat_name_files, files, [b""] * len(files))
        return
    for file in files:
        try:
            os.rename(file.partial, file.name, src_dir_fd=file.folder, dst_dir_fd=file.folder)
        except OSError as error:
            raise _at(file, error.errno) from error


def _call(function: Any, files: Sequence[NewFile], data: Sequence[Data]) -> None:
    """Have compiled code deal with files. Raises OSError."""
    memory = [ffi.from_buffer("uint8_t[]", each) for each in data]
    names = [[ffi.new("char[]", os.fsencode(name)) for name in (file.partial, file.name)] for file in files]
    entries = [
        (file.folder, *two, each, len(each), file.stays_open, file.is_synced, file.descriptor)
        for file, two, each in zip(files, names, memory, strict=True)
    ]
    table, error = ffi.new("struct ldcat_new_file[]", entries), ffi.new("int *")
    done = function(table, len(files), error)
    for file, entry in zip(files, table, strict=True):
        file.descriptor = entry.descriptor
    if done < len(files):
        raise _at(files[done], error[0])


def _at(file: NewFile, number: int | None) -> OSError:
    """The error for a file. number: errno."""
    return OSError(number, os.strerror(number or 0), file.path)


def _write(file: NewFile, data: Data, *, private: bool) -> int:
    """Write a file, and return its descriptor; -1 if it is closed. Raises OSError."""
    descriptor = os.open(file.partial, NEW_FILE, PRIVATE_FILE if private else 0o666, dir_fd=file.folder)
    stays_open = False
    try:
        if private:
            os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
        left = memoryview(data).cast("B")
        write = _write_uncached if len(left) >= _LARGE else os.write
        while left:
            left = left[write(descriptor, left) :]
        stays_open = file.stays_open
        if file.is_synced and not stays_open:
            os.fsync(descriptor)
    finally:
        if not stays_open:
            os.close(descriptor)
    return descriptor if stays_open else -1


def _write_uncached(descriptor: int, data: memoryview) -> int:
    """As os.write; where the system can, it goes to the disk at once, and the pages of the cache are freed."""
    try:
        return os.pwritev(descriptor, [data], -1, _DONTCACHE)
    except NotImplementedError:  # Python was built without the call
        return os.write(descriptor, data)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        return os.write(descriptor, data)
