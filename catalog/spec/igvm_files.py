"""IGVM files, found by path, and their components."""

from __future__ import annotations

from pathlib import Path

from catalog.containers.container import Compressed
from catalog.containers.unwrap import format_of, unwrap
from catalog.errors import MalformedFirmware
from catalog.files.inputs import read_file, read_start
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.igvm.igvm_file import IgvmFile, is_igvm, size_of_file
from catalog.firmware.igvm.igvm_layout import FIXED
from catalog.firmware.ovmf import MAX_IMAGE_SIZE
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.spec import embedded
from catalog.spec.image_files import split_reference

_START = 1 << 12
"""Bytes with which a file is known as compressed."""


def read_igvm(reference: str) -> IgvmFile | None:
    """The IGVM file of this path, perhaps in a compressed file; or of PACKAGE:PATH, if PATH ends with .igvm.

    None if there is no file, or if it is not an IGVM file. Raises Unreadable, MalformedFirmware, which names the file,
    and the errors of `unwrap`.
    """
    path, inner = split_reference(reference) if _is_package(reference) else (Path(reference), None)
    if not _is_file(path):
        return None
    start = read_start(path, _START)
    try:
        if inner is not None or _holds_igvm(start):
            return IgvmFile.parse(unwrap(read_file(path, limit=MAX_IMAGE_SIZE), str(path), inner).data)
        if is_igvm(start):
            return IgvmFile.parse(read_start(path, max(size_of_file(start), FIXED.size) + 1))
    except MalformedFirmware as error:
        raise MalformedFirmware(f"{reference}: {error}", error.hint) from error
    return None


def _is_package(reference: str) -> bool:
    """Whether a name may be that of an IGVM file in a package."""
    return ":" in reference and reference.endswith(".igvm")


def _holds_igvm(start: bytes) -> bool:
    """Whether a compressed file begins with an IGVM file. start: its first bytes."""
    one = format_of(start)
    if not isinstance(one, Compressed):
        return False
    try:
        return is_igvm(next(iter(one.chunks(start)), b""))
    except MalformedFirmware:
        return False  # the start of a file is not a whole one


def component_of(file: IgvmFile) -> IgvmComponent:
    """The component of a file for all embedded loaders."""
    loaders = embedded.loaders().values()
    return reduce_igvm(file, [(one.igvm, one.technologies) for one in loaders if one.igvm])


def _is_file(path: Path) -> bool:
    """False for a pipe, too: its first bytes can be read only once."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # who looks for a build of this name says what is wrong
