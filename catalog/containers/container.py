"""What a container format is: a compressed file, a disk image or a package; and the bounds that hold for all."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import MalformedFirmware
from catalog.firmware.ovmf import MAX_IMAGE_SIZE

CHUNK = 1 << 16
"""Bytes that are unpacked at a time."""

MAX_UNPACKED = 4 * MAX_IMAGE_SIZE
"""Bytes that are unpacked for one image at most, the other files of its package included."""

MAX_MEMBERS = 20_000
"""Files of a package at most."""


class Budget:
    """The bytes that may still be unpacked. Every byte that a format makes is taken from it."""

    def __init__(self) -> None:
        self._left = MAX_UNPACKED

    def take(self, size: int) -> None:
        """Raises MalformedFirmware if `size` bytes more are too many."""
        self._left -= size
        if self._left < 0:
            raise MalformedFirmware(f"it unpacks to more than {MAX_UNPACKED >> 20} MiB")

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks, each taken from the budget."""
        for chunk in chunks:
            self.take(len(chunk))
            yield chunk


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a package.

    path: without "./" or "/" at its start.
    size: bytes.
    link: what it points to, as the package writes it; None for a file with contents.
    read: its contents; only until the next member is asked for.
    """

    path: str
    size: int
    link: str | None
    read: Callable[[], bytes]


class Container:
    """A format that holds firmware images.

    name: for people, after "read as".
    magic: the first bytes of every such file.
    command: the shell command that unwraps one; FILE stands for its name.
    """

    name: ClassVar[str]
    magic: ClassVar[bytes]
    command: ClassVar[str]

    def matches(self, data: bytes | memoryview) -> bool:
        """Whether `data` is of this format, by its first bytes."""
        return bytes(data[: len(self.magic)]) == self.magic


class Compressed(Container):
    """A compressed file."""

    def chunks(self, data: bytes | memoryview) -> Iterator[bytes]:
        """The unpacked contents, at most CHUNK bytes at a time; raises MalformedFirmware if they are damaged."""
        raise NotImplementedError


class DiskImage(Container):
    """A disk image of a virtual machine: a raw image of fixed size, in clusters."""

    def raw(self, data: bytes) -> bytes:
        """The raw image, of at most MAX_IMAGE_SIZE bytes.

        Raises MalformedFirmware if it is damaged or larger, or needs other files, a key or an unsupported feature.
        """
        raise NotImplementedError


class Package(Container):
    """A package of a distribution."""

    def members(self, data: bytes, unpack: Callable[[memoryview], Iterator[bytes]]) -> Iterator[Member]:
        """Its files in order; raises MalformedFirmware if it is damaged.

        unpack: the contents of a compressed or plain stream, chunk by chunk.
        """
        raise NotImplementedError


def collect(chunks: Iterable[bytes]) -> bytes:
    """The chunks together; raises MalformedFirmware if they are more than MAX_IMAGE_SIZE bytes."""
    whole = io.BytesIO()  # it gives its bytes away without a copy
    for chunk in chunks:
        if whole.tell() + len(chunk) > MAX_IMAGE_SIZE:
            raise too_large()
        whole.write(chunk)
    return whole.getvalue()


def too_large() -> MalformedFirmware:
    """The error for an image of more than MAX_IMAGE_SIZE bytes."""
    return MalformedFirmware(f"it unpacks to more than {MAX_IMAGE_SIZE >> 20} MiB, so it holds no firmware image")
