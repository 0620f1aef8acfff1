"""Parquet files of a catalog become tables; what is no Parquet file, or promises more than it can have, is refused.

A footer says how many rows there are, and memory is taken for as many before a page is read. So a footer is believed
no further than the manifest and the size of the file go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from catalog.errors import MalformedRecord
from catalog.store.manifest import FileEntry, Manifest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS_A_BYTE = 8
"""Rows of a file, at most, for each of its bytes: fewer than any catalog has."""

_PACKED = 1 << 10
_UNPACKED = 1 << 20
"""What a column may become, at most: so many times its bytes, and so many more."""


class TableFiles(Protocol):
    """A catalog whose files are verified as they are read."""

    @property
    def manifest(self) -> Manifest:
        """What it has."""

    def verified(self, name: str) -> bytes:
        """The bytes of a file."""


def read_parquet(files: TableFiles, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of a catalog, or some of its columns; raises MalformedRecord for what is no Parquet file.

    And as `verified`, and OutOfMemory. Read in this thread alone: a process that ends while Arrow's threads do is
    aborted by them.
    """
    with parquet_errors(name):
        return open_parquet(files, name).read(columns=columns, use_threads=False)


def open_parquet(
    files: TableFiles, name: str, data: bytes | memoryview | None = None, **options: Any
) -> pq.ParquetFile:
    """The same, open, of the columns that are read then. data: its verified bytes, where they are there already.

    options: as those of pyarrow.parquet.ParquetFile. Raises as `read_parquet`; use it within `parquet_errors`.
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
    """What pyarrow raises for broken files becomes MalformedRecord, but not that memory is out. what: it is none of."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:  # of Arrow, too
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise MalformedRecord(f"{name} is not {what}") from error


def check_footer(footer: Any, entry: FileEntry, name: str) -> None:
    """Raises MalformedRecord for a footer that promises more than the file can have. footer: as pyarrow reads it."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    rows = sum(group.num_rows for group in groups)
    if entry.rows is None or rows != footer.num_rows or any(group.num_rows < 0 for group in groups):
        raise MalformedRecord(f"{name} does not say how many rows it has")
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
                raise MalformedRecord(f"{name} promises more of {column.path_in_schema} than there can be")
    if packed > entry.size:
        raise MalformedRecord(f"{name} promises columns of {packed:,} bytes, and has {entry.size:,}")
