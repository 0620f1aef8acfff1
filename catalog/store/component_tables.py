"""The tables of a catalog's components: Arrow schemas, and Parquet files that are reproducible byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.imports.endorsed_facts import Base
from catalog.rows.arrow import HASH
from catalog.store import manifest
from catalog.store.component_rows import (
    COLUMNS,
    SINCE_PARTS,
    WERE_TEXT,
    base_row,
    firmware_row,
    hash_sizes,
    kernel_row,
    launchable_rows,
    tdx_rows,
)
from catalog.wire import unhex

_KINDS: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "hash": HASH,
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
}

SCHEMAS = {
    name: pa.schema([pa.field(one.name, _KINDS[one.kind], nullable=one.nullable) for one in columns])
    for name, columns in COLUMNS.items()
}
"""Schema of each component table, by file name."""


def read_rows(table: pa.Table, name: str) -> list[dict[str, Any]]:
    """The rows of a component file, with hashes as bytes.

    Raises MalformedRecord for another table, a short hash, or a null that may not be.
    """
    schema = SCHEMAS[name]
    forms = [schema, _older(schema)]
    if not set(SINCE_PARTS) & {*table.column_names}:
        forms += [pa.schema([field for field in form if field.name not in SINCE_PARTS]) for form in forms]
    if _nullable(table.schema) not in map(_nullable, forms):
        raise MalformedRecord(f"{name} has other columns than a file of this name must have")
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field.name, pa.nulls(len(table), field.type))
        if not field.nullable and table[field.name].null_count:
            raise MalformedRecord(f"{name}: {field.name}: null in a row")
    rows: list[dict[str, Any]] = table.to_pylist()
    for column in (field.name for field in schema if field.type == HASH):
        for row in rows:
            if isinstance(row[column], str):
                row[column] = unhex(row[column], hash_sizes(column)[0], f"{name}: {column}")
            if row[column] is not None and len(row[column]) not in hash_sizes(column):
                raise MalformedRecord(f"{name}: {column}: a hash of {len(row[column])} bytes")
    return rows


def _nullable(schema: pa.Schema) -> pa.Schema:
    """A schema whose columns may all be null: older catalogs say so of fewer columns."""
    return pa.schema([field.with_nullable(True) for field in schema])


def _older(schema: pa.Schema) -> pa.Schema:
    """The schema of the same columns in catalogs made before all hashes had one type."""
    was = {
        field.name: pa.string() if field.name in WERE_TEXT else pa.binary(hash_sizes(field.name)[0])
        for field in schema
        if field.type == HASH
    }
    return pa.schema([field.with_type(was.get(field.name, field.type)) for field in schema])


def firmware_table(builds: Iterable[FirmwareBuild]) -> pa.Table:
    """The table of builds, in the order given."""
    return pa.Table.from_pylist([firmware_row(build) for build in builds], SCHEMAS[manifest.FIRMWARE])


def tdx_firmware_table(builds: Iterable[FirmwareBuild]) -> pa.Table:
    """The table of TDX facts, in the order given."""
    return pa.Table.from_pylist(list(tdx_rows(builds)), SCHEMAS[manifest.TDX_FIRMWARE])


def launchable_table(builds: Iterable[FirmwareBuild], technologies: Iterable[str]) -> pa.Table:
    """The table of launchability: one row for each build and technology."""
    return pa.Table.from_pylist(list(launchable_rows(builds, technologies)), SCHEMAS[manifest.LAUNCHABLE])


def kernel_hashes_table(kernels: Iterable[KernelRecord]) -> pa.Table:
    """The table of kernel hashes, in the order given."""
    return pa.Table.from_pylist([kernel_row(kernel) for kernel in kernels], SCHEMAS[manifest.KERNEL_HASHES])


def bases_table(bases: Iterable[Base]) -> pa.Table:
    """The table of bases, in the order given."""
    return pa.Table.from_pylist([base_row(base) for base in bases], SCHEMAS[manifest.BASES])


def write_parquet(table: pa.Table, path: Path, *, sorted_by: str) -> None:
    """Write a table; the bytes depend on nothing but its rows and the version of pyarrow."""
    dictionary = [name for name in table.column_names if name not in ("record", "tdx")]
    with path.open("wb") as file:  # pyarrow takes no path that is not UTF-8
        pq.write_table(
            table,
            file,
            compression="ZSTD",
            use_dictionary=dictionary,
            write_page_checksum=True,
            store_schema=False,
            sorting_columns=[pq.SortingColumn(table.column_names.index(sorted_by))],
        )
