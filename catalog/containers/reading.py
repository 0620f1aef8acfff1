"""Reads chunks as one stream of bytes, as archives in packages need it."""

from __future__ import annotations

from collections.abc import Iterator


class Reader:
    """The bytes of `chunks`, one after the other."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        parts, missing = [], size
        while missing:
            if not self._rest:
                if (chunk := next(self._chunks, None)) is None:
                    break
                self._rest = memoryview(chunk)
            parts.append(self._rest[:missing])
            self._rest = self._rest[len(parts[-1]) :]
            missing -= len(parts[-1])
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes, or all that are left."""
        while size and (part := self.read(min(size, 1 << 16))):
            size -= len(part)
