"""The columns of launch digests in Arrow and Parquet."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow as pa

from catalog.errors import MalformedRecord
from catalog.launch.technology import technology_named
from catalog.rows.fields import COLUMNS, DIGEST, FIRMWARE_KEYS, Field
from catalog.rows.kinds import Hash

HASH: pa.DataType = getattr(pa, Hash.arrow)()
"""Of every hash column of every file but launch_digest, so that they join."""


def arrow_type(field: Field) -> pa.DataType:
    """The Arrow type of a column.

    Hashes have variable length: pyarrow writes dictionary codes as they are only for values of variable length.
    """
    return getattr(pa, field.kind.arrow)()


def digest_schema(technology: str, digest_size: int, lacking: Collection[str] = ()) -> pa.Schema:
    """Schema of a technology's launch digests. digest_size: bytes of a digest. lacking: columns that are left out."""
    digest = pa.field(DIGEST.name, pa.binary(digest_size), nullable=False)
    others = [
        pa.field(field.name, arrow_type(field), nullable=field.nullable)
        for field in COLUMNS
        if field.role and field.name not in lacking
    ]
    return pa.schema([digest, *others], metadata={"technology": technology})


def check_schema(found: pa.Schema, technology: str, name: str) -> None:
    """Raises MalformedRecord if a file of launch digests does not have the columns and types of its technology.

    Optional columns are missing if they are null in every row, as in all older catalogs, in which the SHA-256 of the
    firmware is never null.
    """
    lacking = {field.name for field in COLUMNS if field.optional} - set(found.names)
    expected = digest_schema(technology, technology_named(technology).digest_size, lacking)
    older = [field.with_nullable(field.nullable and field.name not in FIRMWARE_KEYS) for field in expected]
    if not any(found.equals(one, check_metadata=False) for one in (expected, pa.schema(older))):
        raise MalformedRecord(f"{name} is not a table of {technology} launch digests")


def complete(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """Some columns of a table of launch digests; all null for an optional column that the file lacks."""
    kinds = {field.name: arrow_type(field) for field in COLUMNS if field.optional}
    wanted = list(names)
    for name in wanted:
        if name not in table.column_names and name in kinds:
            table = table.append_column(name, pa.nulls(len(table), kinds[name]))
    return table.select(wanted)
