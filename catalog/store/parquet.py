"""Reads Parquet files of a catalog; refuses invalid files and footers that promise more than the file can hold.

Readers allocate memory for the rows that a footer states before they read a page. So the footer is first checked
against the manifest and the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from catalog.errors import MalformedRecord
from catalog.store.manifest import FileEntry, Manifest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS_A_BYTE = 8
"""Most rows for each byte of a file: above what any catalog reaches."""

_PACKED = 1 << 10
_UNPACKED = 1 << 20
"""Most bytes of an unpacked column: _PACKED times its bytes in the file, plus _UNPACKED."""


def has_pyarrow() -> bool:
    """Whether rows can be read: not in a slim install, which has the index, and small tables (store/plain/)."""
    return find_spec("pyarrow") is not None


class TableFiles(Protocol):
    """A catalog whose files are verified as they are read."""

    @property
    def manifest(self) -> Manifest:
        """The manifest of the catalog."""

    def verified(self, name: str) -> bytes:
        """The verified bytes of a file."""


def read_parquet(files: TableFiles, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of a catalog, or some of its columns; raises MalformedRecord if it is not a valid Parquet file.

    Also raises OutOfMemory, and as `verified`. Arrow's threads are not used: a process that exits while they are still
    ending is aborted.
    """
    with parquet_errors(name):
        return open_parquet(files, name).read(columns=columns, use_threads=False)


def open_parquet(
    files: TableFiles, name: str, data: bytes | memoryview | None = None, **options: Any
) -> pq.ParquetFile:
    """The same file, open, to read some of it. Raises as `read_parquet`; read it within `parquet_errors`.

    data: its verified bytes, if they are in memory already.
    options: those of pyarrow.parquet.ParquetFile.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = files.verified(name) if data is None else data
    with parquet_errors(name):
        file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(found)), **options)
        check_footer(file.metadata, files.manifest.files[name], name)
        return file


@contextmanager
def parquet_errors(name: str, what: str = "a Parquet file") -> Iterator[None]:
    """Turn pyarrow's errors for invalid files into MalformedRecord, but not MemoryError. what: what the file is not."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:  # of Arrow, too
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise MalformedRecord(f"{name} is not {what}") from error


def check_footer(footer: Any, entry: FileEntry, name: str) -> None:
    """Raises MalformedRecord if a footer promises more than the file can hold. footer: pyarrow's FileMetaData."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    rows = sum(group.num_rows for group in groups)
    if entry.rows is None or rows != footer.num_rows or any(group.num_rows < 0 for group in groups):
        raise MalformedRecord(f"{name}: its number of rows is missing or contradictory")
    if rows > entry.rows:
        raise MalformedRecord(f"{name} promises {rows:,} rows, and the manifest says {entry.rows:,}")
    if rows > entry.size * _ROWS_A_BYTE:
        raise MalformedRecord(f"{name} promises {rows:,} rows in {entry.size:,} bytes")
    packed = 0
    for group in groups:
        for number in range(group.num_columns):
            column = group.column(number)
            size, unpacked = column.total_compressed_size, column.total_uncompressed_size
            packed += max(0, size)
            if column.num_values != group.num_rows or not 0 <= unpacked <= size * _PACKED + _UNPACKED:
                raise MalformedRecord(f"{name} promises more values of {column.path_in_schema} than it can hold")
    if packed > entry.size:
        raise MalformedRecord(f"{name} promises columns of {packed:,} bytes, and has {entry.size:,}")
