"""IGVM files, found by path."""

from __future__ import annotations

from pathlib import Path

from catalog.errors import MalformedFirmware
from catalog.files.inputs import read_start
from catalog.firmware.igvm.igvm_file import IgvmFile, is_igvm, size_of_file
from catalog.firmware.igvm.igvm_layout import FIXED


def read_igvm(reference: str) -> IgvmFile | None:
    """The IGVM file of this path; None if there is no file, or if it is not an IGVM file.

    Raises Unreadable, and MalformedFirmware, which names the file.
    """
    path = Path(reference)
    if not _is_file(path):
        return None
    start = read_start(path, FIXED.size)
    if not is_igvm(start):
        return None
    try:
        return IgvmFile.parse(read_start(path, max(size_of_file(start), FIXED.size) + 1))
    except MalformedFirmware as error:
        raise MalformedFirmware(f"{reference}: {error}", error.hint) from error


def _is_file(path: Path) -> bool:
    """False for a pipe, too: its first bytes can be read only once."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # who looks for a build of this name says what is wrong
