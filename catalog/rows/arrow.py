"""The columns of launch digests in Arrow and Parquet."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from catalog.errors import MalformedRecord
from catalog.launch.technology import technology_named
from catalog.rows.fields import COLUMNS, DIGEST, Field
from catalog.rows.kinds import Hash

HASH: pa.DataType = getattr(pa, Hash.arrow)()
"""Of every hash column of every file but launch_digest, so that they join."""


def arrow_type(field: Field) -> pa.DataType:
    """The Arrow type of a column.

    Hashes have variable length: pyarrow writes dictionary codes as they are only for values of variable length.
    """
    return getattr(pa, field.kind.arrow)()


def digest_schema(technology: str, digest_size: int) -> pa.Schema:
    """Schema of a technology's launch digests with every column. digest_size: bytes of a digest."""
    digest = pa.field(DIGEST.name, pa.binary(digest_size), nullable=False)
    others = [pa.field(field.name, arrow_type(field), nullable=field.nullable) for field in COLUMNS if field.role]
    return pa.schema([digest, *others], metadata={"technology": technology})


def check_schema(found: pa.Schema, technology: str, name: str) -> None:
    """Raises MalformedRecord if a file of launch digests does not have the columns and types of its technology.

    Optional columns may be missing: older catalogs lack them.
    """
    expected = digest_schema(technology, technology_named(technology).digest_size)
    lacking = {field.name for field in COLUMNS if field.optional} - set(found.names)
    expected = pa.schema([field for field in expected if field.name not in lacking])
    if not found.equals(expected, check_metadata=False):
        raise MalformedRecord(f"{name} is not a table of {technology} launch digests")


def complete(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """Some columns of a table of launch digests; all null for an optional column that an older catalog lacks."""
    kinds = {field.name: arrow_type(field) for field in COLUMNS if field.optional}
    wanted = list(names)
    for name in wanted:
        if name not in table.column_names and name in kinds:
            table = table.append_column(name, pa.nulls(len(table), kinds[name]))
    return table.select(wanted)
