"""Writes output files whole or not at all."""

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
    """Write a file and sync it; an existing file is replaced.

    Raises UsageError for a symbolic link, such as /dev/stdout; Unreadable for anything else that is not a regular file,
    and if the system refuses.
    """
    with _replaced(path) as file:
        file.write(data)


def write_verified(path: Path, chunks: Iterable[bytes], *, size: int, sha256: str) -> None:
    """The same, in chunks. Raises VerificationFailed, and keeps no file, if size or SHA-256 differ.

    size: bytes.
    sha256: hex.
    """
    hashed, left = hashlib.sha256(), size
    with _replaced(path) as file:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            hashed.update(chunk)
            file.write(chunk)
        if left or hashed.hexdigest() != sha256:
            raise VerificationFailed(f"the data received for {path.name} is not the expected file")


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
