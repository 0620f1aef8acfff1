"""Writes output files whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

from catalog.errors import UsageError, VerificationFailed
from catalog.fast.beneath import open_folder
from catalog.files import inputs
from catalog.files.writer import placed, sync_folder

Describe = Callable[[int, str], bytes]
"""The bytes of a file that describes another one, from its size and SHA-256 in hex."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file and sync it; an existing file is replaced.

    Raises UsageError for a symbolic link, such as /dev/stdout; Unreadable for anything else that is not a regular file,
    and if the system refuses.
    """
    with _replaced(path) as file:
        file.write(data)


def write_verified(path: Path, chunks: Iterable[bytes | memoryview], *, size: int, sha256: str) -> None:
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


def write_described(path: Path, chunks: Iterable[bytes], described: Path, describe: Describe) -> None:
    """Write a file in chunks, and another one beside it that says what it is. Either both are written or none.

    described: of the other file, in the same folder. describe: its bytes, from size and SHA-256 (hex) of the first.
    Raises as `write_whole`.
    """
    with _replaced(path) as file:
        size, sha256 = copied(chunks, file)
        file.flush()
        os.fsync(file.fileno())  # so that nothing is left to fail when the other file is there
        write_whole(described, describe(size, sha256))


def copied(chunks: Iterable[bytes], file: BinaryIO) -> tuple[int, str]:
    """Write chunks to a file; gives size and SHA-256 (hex) of all. Raises OSError."""
    hashed, size = hashlib.sha256(), 0
    for chunk in chunks:
        hashed.update(chunk)
        size += file.write(chunk)
    return size, hashed.hexdigest()


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
