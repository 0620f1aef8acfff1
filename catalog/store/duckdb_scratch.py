"""DuckDB on the disk: a folder for a while, and what the system refuses DuckDB as an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.errors import Unreadable, shortage
from catalog.files.inputs import unreadable


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, which is removed at the end as far as that can be; raises Unreadable."""
    try:
        folder = TemporaryDirectory(prefix="ldcat-", ignore_cleanup_errors=True)
    except OSError as error:
        raise unreadable(Path(error.filename or "a temporary folder"), error) from error
    with folder:
        yield Path(folder.name)


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Around what DuckDB does with a file; raises DiskFull, OutOfMemory, Unreadable for what the system refuses it.

    A database that it could not write it refuses to go on with, which is a fatal error to it.
    """
    import duckdb

    try:
        yield
    except (duckdb.OperationalError, duckdb.FatalException) as error:  # a commit that fails is the former, too
        said = str(error).strip().splitlines()[0].lower()
        raise shortage(error, str(path)) or Unreadable(f"{path}: {said}") from error
