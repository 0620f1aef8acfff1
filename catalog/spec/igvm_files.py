"""IGVM files, found by path."""

from __future__ import annotations

from pathlib import Path

from catalog.errors import MalformedFirmware
from catalog.files.inputs import read_file, read_start
from catalog.firmware.igvm.igvm_file import MAX_FILE_SIZE, IgvmFile, is_igvm
from catalog.firmware.igvm.igvm_layout import MAGIC


def read_igvm(reference: str) -> IgvmFile | None:
    """The IGVM file of this path; None if there is no file, or if it is not an IGVM file.

    Raises Unreadable, and MalformedFirmware, which names the file.
    """
    path = Path(reference)
    if not _is_file(path) or not is_igvm(read_start(path, len(MAGIC))):
        return None
    try:
        return IgvmFile.parse(read_file(path, limit=MAX_FILE_SIZE))
    except MalformedFirmware as error:
        raise MalformedFirmware(f"{reference}: {error}", error.hint) from error


def _is_file(path: Path) -> bool:
    """False for a pipe, too: its first bytes can be read only once."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # who looks for a build of this name says what is wrong
