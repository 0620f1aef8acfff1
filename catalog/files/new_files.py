"""Writes and syncs one of many new files; large ones are not kept in the page cache."""

from __future__ import annotations

import errno
import os
import sys

from catalog.files.writer import NEW_FILE, PRIVATE_FILE

_LARGE = 64 << 10
"""Bytes: files that are not kept in the page cache, which costs more than the disk on a virtual machine whose host
has to provide each new page.
"""

_DONTCACHE = 0x80
"""RWF_DONTCACHE of pwritev2(2), which Python has no name for."""


def write_new(folder: int, partial: str, data: bytes | bytearray | memoryview, *, private: bool = False) -> None:
    """Write a new file with a partial name in an open folder; it is not synced. Raises OSError."""
    descriptor = os.open(partial, NEW_FILE, PRIVATE_FILE if private else 0o666, dir_fd=folder)
    try:
        if private:
            os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
        write = _write_uncached if len(data) >= _LARGE and sys.platform == "linux" else os.write
        left = memoryview(data)
        while left:
            left = left[write(descriptor, left) :]
    finally:
        os.close(descriptor)


def _write_uncached(descriptor: int, data: memoryview) -> int:
    """As os.write; Linux 6.14 and later write it to the disk at once, and free the pages of the cache."""
    try:
        return os.pwritev(descriptor, [data], -1, _DONTCACHE)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        return os.write(descriptor, data)


def sync_file(folder: int, name: str) -> None:
    """Sync a file in an open folder. Raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
