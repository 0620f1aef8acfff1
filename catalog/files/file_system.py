"""Syncs all files of a file system at once, where Linux does that as surely as it syncs one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

_PROCESS = Path("/proc/self")
_KINDS = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs"})
"""File systems of a local disk, which write everything and wait for it. FUSE and overlay need not: they have others
below them.
"""

_REPORTS_ERRORS = (5, 17)
"""The version of Linux from which on syncfs fails for whatever could not be written, as fsync does."""


class FileSystem:
    """That of a folder, watched for errors from now on. folder: descriptor. Raises OSError."""

    def __init__(self, folder: int) -> None:
        self._descriptor = -1
        self._can_sync: bool | None = None
        with suppress(PermissionError):  # the folder may be written, and not read
            self._descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)

    @property
    def can_sync(self) -> bool:
        """Whether `sync` is as good as to sync each file."""
        if self._can_sync is None:
            self._can_sync = self._descriptor >= 0 and bool(_syncfs()) and _kind(self._descriptor) in _KINDS
        return self._can_sync

    def sync(self) -> None:
        """Sync the contents and names of all files, where that is possible.

        Raises OSError if anything could not be written since this object was made.
        """
        if (syncfs := _syncfs()) and self.can_sync:
            syncfs(self._descriptor)

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


def _kind(descriptor: int) -> str:
    """The type of the file system that a folder is mounted from, as proc_pid_mountinfo(5) names it; else empty.

    By its mount, because the device of a file is not that of the mount on btrfs.
    """
    try:
        about = (_PROCESS / f"fdinfo/{descriptor}").read_text()
        mounts = (_PROCESS / "mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    number = re.search(r"^mnt_id:\s*(\d+)$", about, re.MULTILINE)
    for line in mounts.splitlines():
        mount, _, system = line.partition(" - ")
        if number and mount.split(" ")[0] == number[1]:
            return system.split(" ")[0]
    return ""
