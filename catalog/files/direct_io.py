"""Memory and files of a build: buffers are reused, and files are written and read past the page cache (O_DIRECT).

A build writes and reads far more than the memory of a machine. The kernel clears or copies every page that it provides
for that, in the page cache or for a new buffer; on a virtual machine the host may have to provide it, too.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from importlib.util import find_spec
from pathlib import Path

from catalog.errors import LdcatError

ALIGNED = 4096
"""Bytes: direct I/O begins and ends at a multiple of this, in memory and in the file."""

_DIRECT = getattr(os, "O_DIRECT", 0)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT = 1 << 30


def keep_freed_memory() -> None:
    """Let glibc's allocator keep large freed blocks instead of returning them to the kernel, and Arrow use it.

    Nothing happens with another allocator. Source: mallopt(3).
    """
    if keep_blocks() and find_spec("pyarrow"):  # not in a slim install
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())  # Arrow's other pools return memory to the kernel all the same


def keep_blocks() -> bool:
    """The part of keep_freed_memory that loads nothing, for before other threads start; whether it is glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_ARENA_MAX, 1)  # the arenas of other threads have at most 64 MiB
    return bool(mallopt)


def return_freed_memory() -> None:
    """Return freed memory to the kernel all the same, before work that needs other blocks. Source: malloc_trim(3)."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if malloc_trim:
        malloc_trim(0)


class ScratchBuffer(threading.local):
    """An aligned buffer for each thread; each call of `of` reuses the same memory."""

    _memory: mmap.mmap | None = None

    def of(self, size: int) -> memoryview:
        """The first `size` bytes of the buffer. Pages that are never written cost no memory."""
        if self._memory is None or len(self._memory) < size:
            self._memory = anonymous(size)
        return memoryview(self._memory)[:size]


def anonymous(size: int) -> mmap.mmap:
    """New aligned memory of `size` bytes, 1 or more, in huge pages if the kernel has them."""
    if os.name == "posix":
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory has no huge pages
    else:
        memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def allocated(size: int) -> memoryview:
    """Aligned memory of `size` bytes from the allocator, which may reuse freed blocks."""
    memory = bytearray(size + ALIGNED)
    start = -address(memory) % ALIGNED
    return memoryview(memory)[start : start + size]


def address(memory: bytearray | memoryview) -> int:
    """The address of the first byte."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def open_direct(path: Path, flags: int) -> int:
    """Open a file with O_DIRECT, or without it on file systems that do not support it; raises OSError."""
    try:
        return os.open(path, flags | os.O_CLOEXEC | _DIRECT, 0o666)
    except OSError:  # such as tmpfs of older kernels; any other error is raised by the second try
        return os.open(path, flags | os.O_CLOEXEC, 0o666)


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all data at an offset. With O_DIRECT the data, its length and the offset have to be aligned."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def write_file(path: Path, memory: memoryview, size: int) -> None:
    """Write a new file with the first `size` bytes of memory.

    memory: aligned; it has space up to the next multiple of ALIGNED.
    """
    whole = -(-size // ALIGNED) * ALIGNED
    memory[size:whole] = bytes(whole - size)
    descriptor = open_direct(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_at(descriptor, memory[:whole], 0)
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


class Appended:
    """Bytes that are appended to a file in long runs, and taken back as a whole. Several threads may append.

    path: of the file; it does not exist until `held` bytes have been appended.
    held: bytes that are kept in memory before they are written, a multiple of ALIGNED.
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
        """All bytes. The file is removed, and this object must not be used again."""
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
                    raise LdcatError(f"{self._path}: became shorter while it was in use")
                offset += count
        finally:
            os.close(descriptor)
