"""Parquet files of a catalog become tables; what is no Parquet file is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.errors import MalformedRecord

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(data: bytes, name: str) -> pa.Table:
    """A table from verified bytes; raises MalformedRecord for what is no Parquet file.

    Read in this thread alone: a process that ends while Arrow's threads do is aborted by them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise MalformedRecord(f"{name} is no Parquet file") from error
