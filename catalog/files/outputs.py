"""Files people name to be written: whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

from catalog.errors import UsageError, VerificationFailed
from catalog.fast.beneath import open_folder
from catalog.files import inputs
from catalog.files.writer import placed, sync_folder


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, synced; one that is there is replaced.

    Raises UsageError for a symbolic link, such as /dev/stdout; Unreadable where something else than a file is there, or
    the system refuses.
    """
    with _replaced(path) as file:
        file.write(data)


def write_verified(path: Path, chunks: Iterable[bytes], *, size: int, sha256: str) -> None:
    """The same, of so many bytes with that SHA-256 in hex; raises VerificationFailed for others, which are not kept."""
    hashed, left = hashlib.sha256(), size
    with _replaced(path) as file:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            hashed.update(chunk)
            file.write(chunk)
        if left or hashed.hexdigest() != sha256:
            raise VerificationFailed(f"what comes for {path.name} is not the file that was meant")


@contextmanager
def _replaced(path: Path) -> Iterator[BufferedWriter]:
    try:
        if path.is_symlink():
            raise UsageError(f"{path} is a symbolic link, which is not replaced", "name a file")
        inputs.check_regular(path)
        folder = open_folder(path.parent)
        try:
            with placed(folder, path.name) as file:
                yield file
            sync_folder(folder)
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:
        raise inputs.unreadable(path, error) from error
