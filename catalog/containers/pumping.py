"""Drives a decompressor of Python's lzma or bz2 in pieces: neither its input nor its output is held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from catalog.containers.container import CHUNK


class Decompressor(Protocol):
    """What lzma.LZMADecompressor and bz2.BZ2Decompressor have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes | memoryview, /, max_length: int = -1) -> bytes: ...


def unpacked(data: bytes | memoryview, make: Callable[[], Decompressor]) -> Iterator[bytes]:
    """The contents of the streams in `data`, one after the other, at most CHUNK bytes at a time.

    make: a decompressor for one stream. Raises EOFError if the last stream is cut off, and what `decompress` raises.
    """
    view, at = memoryview(data), 0
    while at < len(view):
        decompressor = make()
        while not decompressor.eof:
            part = view[at : at + CHUNK] if decompressor.needs_input else b""
            if decompressor.needs_input and not part:
                raise EOFError("it ends within its data")
            at += len(part)
            yield decompressor.decompress(part, CHUNK)
        at -= len(decompressor.unused_data)
