"""Writes one of many new files; large ones are not kept in the page cache."""

from __future__ import annotations

import errno
import os

from catalog.files.writer import NEW_FILE, PRIVATE_FILE

_LARGE = 64 << 10
"""Bytes: files that are not kept in the page cache, which costs more than the disk on a virtual machine whose host
has to provide each new page.
"""

_DONTCACHE = 0x80
"""RWF_DONTCACHE of pwritev2(2), which Python has no name for."""

_UNKNOWN = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM)
"""What a system says that does not know the call or the flag; some filters of system calls say EPERM."""


def write_new(folder: int, partial: str, data: bytes | bytearray | memoryview, *, private: bool = False) -> int:
    """Write a new file with a partial name in an open folder, and return its descriptor. Raises OSError."""
    descriptor = os.open(partial, NEW_FILE, PRIVATE_FILE if private else 0o666, dir_fd=folder)
    try:
        if private:
            os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
        left = memoryview(data).cast("B")
        write = _write_uncached if len(left) >= _LARGE else os.write
        while left:
            left = left[write(descriptor, left) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


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
