"""The rows of a catalog: Parquet parts of launch digests, verified, with checked columns; the only way to read rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.rows.fields import COLUMNS
from catalog.store.manifest import part_names
from catalog.store.parquet import TableFiles, open_parquet, parquet_errors
from catalog.store.row_records import first_bits

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

EVERY = tuple(field.name for field in COLUMNS)
"""Names of all columns."""


@dataclass(frozen=True, slots=True)
class DigestPart:
    """One of the Parquet files of a technology.

    name: of the file.
    number: the first bits of its digests.
    count: number of the technology's files, a power of two.

    Every method raises VerificationFailed if the file differs from the manifest, MalformedRecord if it is not a table
    of launch digests of the technology, and OutOfMemory.
    """

    files: TableFiles
    technology: str
    name: str
    number: int
    count: int

    def table(
        self, columns: Sequence[str] = EVERY, *, data: bytes | memoryview | None = None, encoded: Sequence[str] = ()
    ) -> pa.Table:
        """Some columns of all rows.

        data: the verified bytes of the file, if they are in memory already.
        encoded: columns that are returned dictionary-encoded.
        """
        from catalog.rows.arrow import complete

        with parquet_errors(self.name, _WHAT):
            file = self._open(data, encoded)
            return complete(file.read(self._there(file, columns), use_threads=False), columns)

    def groups(
        self,
        columns: Sequence[str] = EVERY,
        *,
        digests: Sequence[bytes] | None = None,
        data: bytes | memoryview | None = None,
        encoded: Sequence[str] = (),
    ) -> Iterator[pa.Table]:
        """The same, a row group of at most 65,536 rows at a time. digests: only groups that may have one of them."""
        from catalog.rows.arrow import complete

        with parquet_errors(self.name, _WHAT):
            file = self._open(data, encoded)
            for group in range(file.num_row_groups):
                range_of = file.metadata.row_group(group).column(0).statistics
                if digests is None or range_of is None or any(range_of.min <= one <= range_of.max for one in digests):
                    found = file.read_row_group(group, self._there(file, columns), use_threads=False)
                    yield complete(found, columns)

    def _open(self, data: bytes | memoryview | None, encoded: Sequence[str]) -> pq.ParquetFile:
        from catalog.rows.arrow import check_schema

        found = self.files.verified(self.name) if data is None else data
        file = open_parquet(self.files, self.name, found)
        check_schema(file.schema_arrow, self.technology, self.name)
        if not encoded:
            return file
        return open_parquet(self.files, self.name, found, read_dictionary=self._there(file, encoded))

    def _there(self, file: pq.ParquetFile, columns: Sequence[str]) -> list[str]:
        return [name for name in columns if name in file.schema_arrow.names]


_WHAT = "a table of launch digests"


def digest_parts(files: TableFiles, technology: str) -> list[DigestPart]:
    """The parts of a technology; empty if the catalog does not have it, or keeps its distinguished digests only."""
    entry = files.manifest.technologies.get(technology)
    names = part_names(technology, entry.parts) if entry else []
    return [DigestPart(files, technology, name, number, len(names)) for number, name in enumerate(names)]


def find_part(parts: Sequence[DigestPart], digest: bytes) -> DigestPart:
    """The only part that can have a digest."""
    return parts[first_bits(digest, (len(parts) - 1).bit_length())]


def row_tables(files: TableFiles, technology: str, columns: Sequence[str] = EVERY) -> Iterator[pa.Table]:
    """Every row of a technology, ordered by digest, one table for each part."""
    for part in digest_parts(files, technology):
        yield part.table(columns)
