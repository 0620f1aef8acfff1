"""The rows of a component table, as catalog.store.component_tables.read_rows gives them, without pyarrow."""

from __future__ import annotations

from typing import Any

from catalog.errors import MalformedRecord
from catalog.store.component_rows import COLUMNS, SINCE_PARTS, WERE_TEXT, Column, hash_sizes
from catalog.store.parquet import TableFiles
from catalog.store.plain.parquet_columns import Field, ParquetFile
from catalog.store.plain.thrift_compact import Malformed
from catalog.wire import unhex


def read_component(files: TableFiles, name: str) -> list[dict[str, Any]]:
    """The rows of a component file, with hashes as bytes.

    Raises MalformedRecord for another table, a short hash, or a null that may not be, and as `verified`.
    """
    data = files.verified(name)
    try:
        file = ParquetFile(data, files.manifest.files[name].rows or 0)
        columns = file.columns()
    except Malformed as error:
        raise MalformedRecord(f"{name} is not a Parquet file that can be read: {error}") from error
    wanted = COLUMNS[name]
    if not set(SINCE_PARTS) & set(columns):
        wanted = tuple(one for one in wanted if one.name not in SINCE_PARTS)
    if not any(_fits(file.fields, wanted, older=older) for older in (False, True)):
        raise MalformedRecord(f"{name} has other columns than a file of this name must have")
    for one in COLUMNS[name]:
        values = columns.setdefault(one.name, [None] * file.rows)
        if not one.nullable and None in values:
            raise MalformedRecord(f"{name}: {one.name}: null in a row")
        if one.kind == "hash":
            columns[one.name] = [_hash(value, one.name, name) for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _fits(fields: tuple[Field, ...], wanted: tuple[Column, ...], *, older: bool) -> bool:
    """Whether a file has the columns that it must have. older: with hashes of fixed length, or in hex."""
    if [field.name for field in fields] != [one.name for one in wanted]:
        return False
    for field, one in zip(fields, wanted, strict=True):
        kind, size = ("bytes", None) if one.kind == "hash" else (one.kind, None)
        if older and one.kind == "hash":
            kind, size = ("text", None) if one.name in WERE_TEXT else ("bytes", hash_sizes(one.name)[0])
        if (field.kind, field.size) != (kind, size):
            return False
    return True


def _hash(value: Any, column: str, name: str) -> bytes | None:
    if isinstance(value, str):
        value = unhex(value, hash_sizes(column)[0], f"{name}: {column}")
    if value is not None and len(value) not in hash_sizes(column):
        raise MalformedRecord(f"{name}: {column}: a hash of {len(value)} bytes")
    found: bytes | None = value
    return found
