"""Memory and files of a build that are used once: memory is taken again and again, files go past the page cache.

A build writes and reads far more than a machine has memory for. Every page that the kernel finds for that, in the
page cache or for a new buffer, is cleared or copied first; on a virtual machine its host may have to find it, too.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from pathlib import Path

import pyarrow as pa

from catalog.errors import LdcatError

ALIGNED = 4096
"""Bytes: what goes past the page cache begins and ends at a multiple of it, in memory and in the file."""

_DIRECT = getattr(os, "O_DIRECT", 0)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT = 1 << 30


def keep_freed_memory() -> None:
    """Let the allocator use large blocks again instead of returning them to the kernel, where it is glibc's.

    Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_ARENA_MAX, 1)  # those of threads have 64 MiB at most
        pa.set_memory_pool(pa.system_memory_pool())  # the others return it all the same


class ScratchBuffer(threading.local):
    """Memory that each thread has for itself, aligned; what it holds is gone when it is asked for again."""

    _memory: mmap.mmap | None = None

    def of(self, size: int) -> memoryview:
        """So many bytes. Pages of it that nobody writes cost nothing."""
        if self._memory is None or len(self._memory) < size:
            self._memory = anonymous(size)
        return memoryview(self._memory)[:size]


def anonymous(size: int) -> mmap.mmap:
    """So many bytes of aligned memory, of large pages where the kernel has them; 1 or more."""
    if os.name == "posix":
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory has none
    else:
        memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def allocated(size: int) -> memoryview:
    """So many bytes of aligned memory that the allocator may have had before."""
    memory = bytearray(size + ALIGNED)
    start = -address(memory) % ALIGNED
    return memoryview(memory)[start : start + size]


def address(memory: bytearray | memoryview) -> int:
    """Where the first byte is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def open_direct(path: Path, flags: int) -> int:
    """Open a file past the page cache, or through it on file systems that have no other way."""
    try:
        return os.open(path, flags | os.O_CLOEXEC | _DIRECT, 0o666)
    except OSError:  # such as tmpfs of older kernels; if it is something else, it is said now
        return os.open(path, flags | os.O_CLOEXEC, 0o666)


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of it; data, its length and offset are aligned where the file is open past the page cache."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def write_file(path: Path, memory: memoryview, size: int) -> None:
    """Write a new file of the first `size` bytes of memory, which is aligned and has room up to the next multiple."""
    whole = -(-size // ALIGNED) * ALIGNED
    memory[size:whole] = bytes(whole - size)
    descriptor = open_direct(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_at(descriptor, memory[:whole], 0)
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


class Appended:
    """Bytes that are appended to a file, in long runs, and taken as a whole; several threads may append.

    held: bytes kept in memory until they are written, a multiple of ALIGNED. There is no file until then.
    """

    def __init__(self, path: Path, held: int) -> None:
        self._path = path
        self._held = anonymous(held)
        self._lock = threading.Lock()
        self.size = 0

    def append(self, data: memoryview) -> None:
        """Add bytes at the end."""
        room = len(self._held)
        with self._lock:
            while data:
                start = self.size % room
                count = min(room - start, len(data))
                self._held[start : start + count] = data[:count]
                data = data[count:]
                self.size += count
                if start + count == room:
                    self._write(self.size - room)

    def take(self) -> bytes | memoryview:
        """All bytes; then there are none, neither here nor in a file."""
        rest = self.size % len(self._held)
        written = self.size - rest
        if not written:
            taken: bytes | memoryview = self._held[:rest]
        else:
            taken = allocated(self.size)
            self._read(taken[:written])
            taken[written:] = self._held[:rest]
            self._path.unlink()
        self._held.close()
        return taken

    def _write(self, offset: int) -> None:
        descriptor = open_direct(self._path, os.O_WRONLY | os.O_CREAT)
        try:
            write_at(descriptor, memoryview(self._held), offset)
        finally:
            os.close(descriptor)

    def _read(self, memory: memoryview) -> None:
        descriptor = open_direct(self._path, os.O_RDONLY)
        try:
            offset = 0
            while offset < len(memory):
                count = os.preadv(descriptor, [memory[offset:]], offset)
                if not count:
                    raise LdcatError(f"{self._path}: became shorter while it was used")
                offset += count
        finally:
            os.close(descriptor)
