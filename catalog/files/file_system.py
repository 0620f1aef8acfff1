"""Syncs all files of a file system at once, where Linux does that as surely as it syncs one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_KINDS = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs"})
"""File systems of a local disk, which write everything and wait for it. FUSE and overlay need not: they have others
below them.
"""

_REPORTS_ERRORS = (5, 8)
"""The version of Linux from which on syncfs fails where a file could not be written, as fsync does."""


class FileSystem:
    """That of a folder, watched for errors from now on. folder: descriptor. Raises OSError."""

    def __init__(self, folder: int) -> None:
        self._descriptor = -1
        if _syncfs() and _kind(os.stat(".", dir_fd=folder).st_dev) in _KINDS:
            with suppress(PermissionError):  # the folder may be written, and not read
                self._descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)

    def sync(self) -> bool:
        """Sync the contents and names of all files; False if each has to be synced alone.

        Raises OSError if anything could not be written since this object was made.
        """
        syncfs = _syncfs()
        if syncfs is None or self._descriptor < 0:
            return False
        syncfs(self._descriptor)
        return True

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor >= 0:
            os.close(self._descriptor)


@cache
def _syncfs() -> Callable[[int], None] | None:
    """The call of the C library; None where there is none, or none that reports errors."""
    system = os.uname()
    found = re.match(r"(\d+)\.(\d+)", system.release)
    if system.sysname != "Linux" or found is None or tuple(map(int, found.groups())) < _REPORTS_ERRORS:
        return None
    with suppress(ImportError, AttributeError, OSError):
        import ctypes  # only here: few commands write many files

        call = ctypes.CDLL(None, use_errno=True).syncfs

        def syncfs(descriptor: int) -> None:
            if call(descriptor):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

        return syncfs
    return None


@cache
def _kind(device: int) -> str:
    """The type of the file system on a device, as in /proc/self/mountinfo; empty if it is not known."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        mount, _, system = line.partition(" - ")
        if mount.split(" ")[2:3] == [number]:
            return system.split(" ")[0]
    return ""
