"""Image files: found by path, read, unwrapped, and what is to be said about them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from catalog.containers.unwrap import unwrap
from catalog.errors import MalformedFirmware
from catalog.files.inputs import exists, read_file
from catalog.firmware.image_notes import image_notes
from catalog.firmware.ovmf import MAX_IMAGE_SIZE, OvmfImage
from catalog.notes import Note


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image that was read from a file. notes: how it was read, and what speaks against its launch."""

    image: OvmfImage
    notes: tuple[Note, ...]


def split_reference(reference: str) -> tuple[Path, str | None]:
    """The file that a reference names, and the path in it: FILE, or PACKAGE:PATH if no file has the whole name.

    The package is the shortest beginning before a colon that is a file. Raises Unreadable.
    """
    if not exists(Path(reference)):
        for at in (at for at, character in enumerate(reference) if character == ":"):
            if Path(reference[:at]).is_file():
                return Path(reference[:at]), reference[at + 1 :]
    return Path(reference), None


def read_image(reference: str) -> ImageFile:
    """Read, unwrap and parse an image: FILE, or PACKAGE:PATH.

    Raises Unreadable, MalformedFirmware, which names the file, and the errors of `unwrap`.
    """
    path, wanted = split_reference(reference)
    try:
        unwrapped = unwrap(read_file(path, limit=MAX_IMAGE_SIZE), str(path), wanted)
        image = OvmfImage.parse(unwrapped.data)
    except MalformedFirmware as error:
        hint = error.hint and error.hint.replace("FILE", shlex.quote(str(path)))
        raise MalformedFirmware(f"{reference}: {error}", hint) from error
    how = unwrapped.note(str(path))
    unwrapping = [Note("image-unwrapped", how)] if how else []
    return ImageFile(image, (*unwrapping, *image_notes(image, reference)))
