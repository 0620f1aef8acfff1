"""Reads chunks as one stream of bytes, and the contents of files in it, as archives in packages need it."""

from __future__ import annotations

import io
from collections.abc import Iterator

from catalog.errors import MalformedFirmware


class Reader:
    """The bytes of `chunks`, one after the other."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        whole, missing = io.BytesIO(), size  # it gives its bytes away without a copy
        while missing:
            if not self._rest:
                if (chunk := next(self._chunks, None)) is None:
                    break
                self._rest = memoryview(chunk)
            written = whole.write(self._rest[:missing])
            self._rest = self._rest[written:]
            missing -= written
        return whole.getvalue()

    def skip(self, size: int) -> None:
        """Pass over `size` bytes, or all that are left."""
        while size and (part := self.read(min(size, 1 << 16))):
            size -= len(part)


class Contents:
    """The contents of a file at the place where a reader is: `size` bytes, then zeros up to a multiple of `unit`."""

    def __init__(self, reader: Reader, size: int, unit: int) -> None:
        self._reader = reader
        self._size = size
        self._left = size + -size % unit

    def read(self) -> bytes:
        """All of it; once, and before `skip`. Raises MalformedFirmware if the archive ends before it does."""
        data = self._reader.read(self._size)
        if len(data) < self._size:
            raise MalformedFirmware("its archive of files ends too early")
        self._left -= self._size
        return data

    def skip(self) -> None:
        """Pass over what is left of it."""
        self._reader.skip(self._left)
