"""The folder of a log, for reading alone: as LogFolder, without what is needed to write it."""

from __future__ import annotations

import os

from catalog.errors import MalformedInput, NotThere
from catalog.fast.beneath import open_file
from catalog.fast.folder_location import CHECKPOINT
from catalog.transparency.note import MAX_NOTE, Note


class PlainLog:
    """A log in a local folder. Reading raises OSError for what cannot be read, and is not just absent."""

    is_here = True

    def __init__(self, root: str) -> None:
        self.root = self.name = root

    def read(self, path: str, at_most: int) -> bytes:
        """As LogFolder.read. Raises NotThere, OSError, MalformedInput."""
        try:
            descriptor = open_file(self.root, path)
        except FileNotFoundError as error:
            raise NotThere(path) from error
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(at_most + 1)
        if len(data) > at_most:
            raise MalformedInput(path)
        return data

    def checkpoint(self) -> Note:
        """As LogFolder.checkpoint. Raises as `read`, also if there is none."""
        return Note.parse(self.read(CHECKPOINT, MAX_NOTE))
