"""The compiled code that reads and writes leaves; None without it: the definitions in Python give the same."""

from __future__ import annotations

from array import array
from typing import Any

try:
    from catalog.log.leaves._leaves import ffi, lib
except ImportError:
    ffi = lib = None

__all__ = ["FAILED", "ffi", "lib", "new_memory", "signed", "words", "writable"]

FAILED = (1 << 64) - 1
"""What compiled code returns in place of a number, SIZE_MAX."""

_new: Any = ffi and ffi.new_allocator(should_clear_after_alloc=False)


def new_memory(size: int) -> Any:
    """Memory of bytes that were not cleared, all of which are written before they are used."""
    return _new("uint8_t[]", size)


def words(numbers: array[int] | memoryview) -> Any:
    """Memory of 32-bit numbers."""
    return ffi.from_buffer("uint32_t[]", numbers)


def signed(numbers: array[int] | memoryview) -> Any:
    """Memory of signed 32-bit numbers."""
    return ffi.from_buffer("int32_t[]", numbers)


def writable(memory: bytearray) -> Any:
    """Memory of bytes that are written."""
    return ffi.from_buffer("uint8_t[]", memory, require_writable=True)
