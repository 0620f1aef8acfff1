"""Files people name to be written: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from catalog.errors import UsageError
from catalog.release import inputs


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, synced; one that is there is replaced.

    Raises UsageError for a symbolic link, such as /dev/stdout; Unreadable where something else than a file is there, or
    the system refuses.
    """
    try:
        if path.is_symlink():
            raise UsageError(f"{path} is a symbolic link, which is not replaced", "name a file")
        inputs.check_regular(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.ldcat-partial")
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise inputs.unreadable(path, error) from error
