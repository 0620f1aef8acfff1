"""KeptRows: packed rows in the order in which they are added: in memory, or on disk where there are many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from weakref import finalize

from catalog.files.inputs import unreadable
from catalog.log.leaves.packed_rows import ROW, Rows

_IN_MEMORY = 64 << 20
"""Bytes: how many are held before they are written."""


class Scratch:
    """A file without a name in a folder, made at the first write, and freed with this object.

    size: bytes that were written.
    Every method raises Unreadable if the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self._folder = folder
        self._descriptor = -1
        self._free: Callable[[], object] = int  # nothing yet

    def append(self, data: Rows) -> None:
        """Write bytes at the end."""
        try:
            if self._descriptor < 0:
                with TemporaryFile(dir=self._folder, prefix=".ldcat-", suffix=".partial") as file:
                    self._descriptor = os.dup(file.fileno())
                self._free = finalize(self, os.close, self._descriptor)
            left = memoryview(data)
            while left:
                written = os.pwrite(self._descriptor, left, self.size)
                left, self.size = left[written:], self.size + written
        except OSError as error:
            raise unreadable(self._folder, error) from error

    def read(self, at: int, size: int) -> bytes:
        """Bytes from an offset on, all of which were written."""
        data = bytearray()
        try:
            while len(data) < size and (more := os.pread(self._descriptor, size - len(data), at + len(data))):
                data += more
        except OSError as error:
            raise unreadable(self._folder, error) from error
        return bytes(data)

    def close(self) -> None:
        """Free the disk now."""
        self._free()


class KeptRows:
    """Rows that can be read as often as wanted. folder: of the file. Raises Unreadable if the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._scratch = Scratch(folder)
        self._held = bytearray()

    def __len__(self) -> int:
        return (self._scratch.size + len(self._held)) // ROW

    def add(self, rows: Rows) -> None:
        """Add packed rows."""
        self._held += rows
        if len(self._held) >= _IN_MEMORY:
            self._scratch.append(self._held)
            self._held = bytearray()

    def parts(self, rows: int) -> Iterator[Rows]:
        """Yield the rows, so many at a time or fewer."""
        for at in range(0, self._scratch.size, ROW * rows):
            yield self._scratch.read(at, min(ROW * rows, self._scratch.size - at))
        for at in range(0, len(self._held), ROW * rows):
            yield memoryview(self._held)[at : at + ROW * rows]
