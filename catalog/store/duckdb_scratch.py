"""DuckDB and the disk: a temporary folder, and DuckDB's errors about files as errors of ldcat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.errors import Unreadable, shortage
from catalog.files.inputs import unreadable


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new temporary folder, removed at the end if possible; raises Unreadable."""
    try:
        folder = TemporaryDirectory(prefix="ldcat-", ignore_cleanup_errors=True)
    except OSError as error:
        raise unreadable(Path(error.filename or "a temporary folder"), error) from error
    with folder:
        yield Path(folder.name)


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Turn the errors of DuckDB about a file into DiskFull, OutOfMemory or Unreadable.

    After a failed write DuckDB refuses all further work on that database, with a FatalException.
    """
    import duckdb

    try:
        yield
    except (duckdb.OperationalError, duckdb.FatalException) as error:  # a failed commit is an OperationalError, too
        message = str(error).strip().splitlines()[0].lower()
        raise shortage(error, str(path)) or Unreadable(f"{path}: {message}") from error
