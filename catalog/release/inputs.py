"""Files people name: firmware images and kernels, read whole or refused, their sizes bounded first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from catalog.errors import UnknownName, Unreadable
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import MAX_IMAGE_SIZE, OvmfImage

MAX_TEXT_SIZE = 16 << 20
"""Bytes of a spec or of another text file."""


def read_file(path: Path, *, limit: int) -> bytes:
    """The whole file of at most `limit` bytes; raises Unreadable for a larger one or one that cannot be read."""
    data = read_start(path, limit + 1)
    if len(data) > limit:
        raise Unreadable(f"{path} is larger than {limit} bytes")
    return data


def read_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of a file, fewer where it ends before; raises Unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def read_text(path: Path) -> str:
    """The whole UTF-8 text file; raises Unreadable."""
    try:
        return read_file(path, limit=MAX_TEXT_SIZE).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8 text") from error


def read_image(path: Path) -> OvmfImage:
    """Read and parse an image; raises Unreadable or MalformedFirmware."""
    return OvmfImage.parse(read_file(path, limit=MAX_IMAGE_SIZE))


def hash_file(path: Path) -> bytes:
    """SHA-256 of a file of any size, read in pieces; raises Unreadable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def build_of_file(path: Path, name: str | None = None) -> FirmwareBuild:
    """A build from an image file of one's own, named as given or by its path."""
    shown = name or str(path)
    if any(0xD800 <= ord(character) <= 0xDFFF for character in shown):
        raise Unreadable(f"{shown!r} is not a UTF-8 name", "rename the file")
    return FirmwareBuild(shown, FirmwareComponent.from_image(read_image(path)), None, {})


def find_build(reference: str, builds: Mapping[str, FirmwareBuild]) -> FirmwareBuild:
    """The build a person means by a name, a SHA-256 in hex, or the path of an image, in this order.

    Raises UnknownName where it is none of them, and what reading an image raises.
    """
    if reference in builds:
        return builds[reference]
    wanted = reference.lower()
    for build in builds.values():
        if build.component.sha256.hex() == wanted:
            return build
    path = Path(reference)
    if _exists(path) or reference.startswith(("/", "./", "../")):
        return build_of_file(path)
    raise UnknownName("build or firmware file", reference, builds)


def unreadable(path: Path, error: Exception) -> Unreadable:
    """The error for a path the system refuses, in the system's own words."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Unreadable(f"{path}: {reason.lower()}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a NUL: no path at all
        return False
