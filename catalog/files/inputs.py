"""Reads input files, such as firmware images and kernels, with a limit on their size."""

from __future__ import annotations

import errno
import hashlib
import os
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import LdcatError, NotThere, Unreadable, shortage
from catalog.fast.beneath import IS_LINK, Files, Linked, Shared, open_regular

if TYPE_CHECKING:  # it needs pyarrow
    from catalog.files.direct_io import ScratchBuffer

MAX_TEXT_SIZE = 16 << 20
"""Bytes: most of a spec or of another text file."""


def read_file(path: Path, *, limit: int, regular: bool = False) -> bytes:
    """The whole file; raises Unreadable if it is larger than `limit` bytes or cannot be read.

    regular: accept regular files only, as all files of a catalog or a log are; reading a pipe could wait forever.
    """
    data = read_start(path, limit + 1, regular=regular)
    if len(data) > limit:
        raise Unreadable(f"{path} is larger than {limit} bytes")
    return data


def check_regular(path: Path) -> None:
    """Raises Unreadable if something exists at a path that is not a regular file; opening a pipe could wait forever."""
    if exists(path) and not path.is_file():
        raise Unreadable(f"{path} is not a regular file")


def read_start(path: Path, size: int, *, regular: bool = False) -> bytes:
    """The first `size` bytes of a file, or all if it is shorter; raises Unreadable. regular: as for `read_file`."""
    try:
        with _opened(path, regular=regular) as file:
            return file.read(size)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def read_beneath(files: Files, name: str, size: int, *, private: bool = False) -> bytes:
    """As `read_start`, of a regular file below a folder, following no symbolic link. private: as for `open_file`."""
    try:
        descriptor = files.open(name, private=private)
        try:
            return _read(descriptor, size)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise unreadable(Path(files.path, name), error) from error


def _read(descriptor: int, size: int) -> bytes:
    """The first `size` bytes of a regular file, or all if it is shorter, in memory of about this size."""
    parts, left = [], size
    while left and (part := os.read(descriptor, min(left, os.fstat(descriptor).st_size + 1))):
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def walked(files: Files) -> list[tuple[str, str]]:
    """As `Files.walk`; raises Unreadable."""
    try:
        return list(files.walk())
    except OSError as error:
        raise unreadable(Path(files.path), error) from error


def read_file_beneath(files: Files, name: str, *, limit: int) -> bytes:
    """As `read_file`, of a regular file below a folder, following no symbolic link."""
    data = read_beneath(files, name, limit + 1)
    if len(data) > limit:
        raise Unreadable(f"{files.path}/{name} is larger than {limit} bytes")
    return data


def read_into(files: Files, name: str, buffer: ScratchBuffer, size: int) -> memoryview:
    """As `read_beneath`, into the buffer of this thread: valid until the buffer is used again."""
    try:
        with os.fdopen(files.open(name), "rb", buffering=0) as file:
            memory = buffer.of(min(size, os.fstat(file.fileno()).st_size + 1))
            taken = 0
            while count := file.readinto(memory[taken:]):
                taken += count
            return memory[:taken]
    except (OSError, ValueError) as error:
        raise unreadable(Path(files.path, name), error) from error


def read_text(path: Path) -> str:
    """A UTF-8 text file of at most MAX_TEXT_SIZE; raises Unreadable."""
    try:
        return read_file(path, limit=MAX_TEXT_SIZE).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8 text") from error


def hash_file(path: Path, *, regular: bool = False, algorithm: str = "sha256") -> bytes:
    """The hash of a file of any size, read in pieces; raises Unreadable. regular: as for `read_file`."""
    try:
        with _opened(path, regular=regular) as file:
            return hashlib.file_digest(file, algorithm).digest()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def exists(path: Path) -> bool:
    """Whether there is anything at a path; raises Unreadable if the system refuses to tell."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in it
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise unreadable(path, error) from error
    return True


def _opened(path: Path, *, regular: bool) -> BufferedReader:
    return os.fdopen(open_regular(path), "rb") if regular else path.open("rb")


def unreadable(path: Path, error: Exception) -> LdcatError:
    """The error to raise for a path that the system refuses: DiskFull, OutOfMemory, NotThere or Unreadable."""
    if short := shortage(error, str(path)):
        return short
    if isinstance(error, Linked):
        return Unreadable(f"{error.filename} {IS_LINK}", "replace it with the file or folder that it points to")
    if isinstance(error, Shared):
        return Unreadable(
            f"{error.filename} is part of ldcat's state and is not trusted: {error.strerror}",
            f"check that nobody changed it, then: chmod go-w {error.filename}",
        )
    kind = NotThere if isinstance(error, FileNotFoundError) else Unreadable
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return kind(f"{path}: {reason.lower()}")
