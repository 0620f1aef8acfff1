"""The tables of a catalog's components: Arrow schemas, and Parquet files that are reproducible byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import BlobWire, KernelRecord
from catalog.imports.endorsed_facts import Base, Endorser
from catalog.rows.arrow import HASH
from catalog.store import manifest
from catalog.wire import unhex

FIRMWARE = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("sha256", HASH),
        pa.field("sha384", HASH),
        pa.field("size", pa.uint32()),
        pa.field("snp_baseline", HASH),
        pa.field("firmware_version", pa.string()),
        pa.field("distribution", pa.string()),
        pa.field("suite", pa.string()),
        pa.field("package", pa.string()),
        pa.field("version", pa.string()),
        pa.field("package_sha256", HASH),
        pa.field("path", pa.string()),
        pa.field("kernel_hashes_enforced", pa.string(), nullable=False),
        pa.field("record", pa.string(), nullable=False),
    ]
)
"""One row for each build; `record` is its whole record as TOML, from which any of its digests can be computed.

Null: not known, or nowhere published. sha256, sha384, size: of the file.
"""

LAUNCHABLE = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("firmware", "technology", "verdict", "reason", "source")]
)
"""Whether a build, by name, is expected to launch under a technology, the reason, and the source of the statement."""

_BLOB_FIELDS = ("distribution", "suite", "package", "version", "package_sha256", "path")

KERNEL_HASHES = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("table_sha256", HASH, nullable=False),
        pa.field("kernel_sha256", HASH, nullable=False),
        pa.field("initrd_sha256", HASH, nullable=False),
        pa.field("cmdline_sha256", HASH, nullable=False),
        pa.field("append", pa.string()),
        *(
            pa.field(f"{blob}_{name}", HASH if name == "package_sha256" else pa.string())
            for blob in ("kernel", "initrd")
            for name in _BLOB_FIELDS
        ),
    ]
)
"""One row for each kernel hashes table.

Without an initrd, initrd_sha256 is the hash of the empty file. append is null if only the hash of the command line is
known.
"""


BASES = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("launch_digest", HASH, nullable=False),
        pa.field("technology", pa.string(), nullable=False),
        pa.field("vcpus", pa.uint16(), nullable=False),
        pa.field("reset_vector", pa.uint32()),
        pa.field("product", pa.string()),
        pa.field("vcpu_type", pa.string()),
        pa.field("vmm", pa.string()),
        pa.field("sev_features", pa.uint64()),
        pa.field("endorser_scheme", pa.string(), nullable=False),
        pa.field("endorser_id", pa.string()),
        pa.field("endorser_feed", pa.string()),
        pa.field("endorser_svn", pa.uint64()),
    ]
)
"""One row for each base; null: not known, or not said."""

SCHEMAS = {
    manifest.FIRMWARE: FIRMWARE,
    manifest.LAUNCHABLE: LAUNCHABLE,
    manifest.KERNEL_HASHES: KERNEL_HASHES,
    manifest.BASES: BASES,
}
"""Schema of each component table, by file name."""

SINCE_PARTS = ("snp_baseline", "firmware_version")
"""Columns of builds that older catalogs lack, in which each build has a SHA-256."""

_WERE_TEXT = ("kernel_package_sha256", "initrd_package_sha256")
"""Hashes that older catalogs have in lower-case hex; their other hashes are of fixed length."""


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
                row[column] = unhex(row[column], _hash_sizes(column)[0], f"{name}: {column}")
            if row[column] is not None and len(row[column]) not in _hash_sizes(column):
                raise MalformedRecord(f"{name}: {column}: a hash of {len(row[column])} bytes")
    return rows


def _nullable(schema: pa.Schema) -> pa.Schema:
    """A schema whose columns may all be null: older catalogs say so of fewer columns."""
    return pa.schema([field.with_nullable(True) for field in schema])


def _older(schema: pa.Schema) -> pa.Schema:
    """The schema of the same columns in catalogs made before all hashes had one type."""
    was = {
        field.name: pa.string() if field.name in _WERE_TEXT else pa.binary(_hash_sizes(field.name)[0])
        for field in schema
        if field.type == HASH
    }
    return pa.schema([field.with_type(was.get(field.name, field.type)) for field in schema])


def _hash_sizes(column: str) -> tuple[int, ...]:
    if column == "launch_digest":
        return (32, 48)
    return (48,) if column in ("sha384", "snp_baseline") else (32,)


def firmware_table(builds: Iterable[FirmwareBuild]) -> pa.Table:
    """The table of builds, in the order given."""
    return pa.Table.from_pylist([firmware_row(build) for build in builds], FIRMWARE)


def launchable_table(builds: Iterable[FirmwareBuild], technologies: Iterable[str]) -> pa.Table:
    """The table of launchability: one row for each build and technology."""
    return pa.Table.from_pylist(list(launchable_rows(builds, technologies)), LAUNCHABLE)


def launchable_rows(builds: Iterable[FirmwareBuild], technologies: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of `launchable_table`, by column."""
    names = sorted(technologies)
    for build in builds:
        for name in names:
            found = build.launchability(name)
            yield (
                {"firmware": build.name, "technology": name, "verdict": found.verdict}
                | {"reason": found.reason, "source": found.source}
            )


def kernel_hashes_table(kernels: Iterable[KernelRecord]) -> pa.Table:
    """The table of kernel hashes, in the order given."""
    return pa.Table.from_pylist([_kernel_row(kernel) for kernel in kernels], KERNEL_HASHES)


def bases_table(bases: Iterable[Base]) -> pa.Table:
    """The table of bases, in the order given."""
    return pa.Table.from_pylist([_base_row(base) for base in bases], BASES)


def base_of(row: Mapping[str, Any]) -> Base:
    """The base of a row of the table BASES; raises MalformedRecord for values that no base has."""
    endorser = Endorser(*(row[f"endorser_{name}"] for name in _ENDORSER))
    return Base(row["launch_digest"], row["technology"], endorser, **{name: row[name] for name in _BASE_FACTS})


_ENDORSER = ("scheme", "id", "feed", "svn")
_BASE_FACTS = ("name", "vcpus", "reset_vector", "product", "vcpu_type", "vmm", "sev_features")


def _base_row(base: Base) -> dict[str, Any]:
    return {
        "launch_digest": base.digest,
        "technology": base.technology,
        **{name: getattr(base, name) for name in _BASE_FACTS},
        "name": base.label,
        **{f"endorser_{name}": getattr(base.endorser, name) for name in _ENDORSER},
    }


def write_parquet(table: pa.Table, path: Path, *, sorted_by: str) -> None:
    """Write a table; the bytes depend on nothing but its rows and the version of pyarrow."""
    dictionary = [name for name in table.column_names if name != "record"]
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


def firmware_row(build: FirmwareBuild) -> dict[str, Any]:
    """A build as a row of the table FIRMWARE, by column."""
    component, origin = build.component, build.origin
    return {
        "name": build.name,
        "sha256": component.sha256,
        "sha384": component.sha384,
        "size": component.size,
        "snp_baseline": component.snp_baseline,
        "firmware_version": component.firmware_version,
        **{name: getattr(origin, name, None) for name in _BLOB_FIELDS},
        "package_sha256": bytes.fromhex(origin.package_sha256) if origin and origin.package_sha256 else None,
        "kernel_hashes_enforced": component.kernel_hashes_enforced.value,
        "record": build.to_toml(),
    }


def _kernel_row(kernel: KernelRecord) -> dict[str, Any]:
    hashes = kernel.hashes
    origins = {"kernel": kernel.wire.kernel, "initrd": kernel.wire.initrd}
    return {
        "name": kernel.name,
        "table_sha256": hashes.table_sha256,
        "kernel_sha256": hashes.kernel,
        "initrd_sha256": hashes.initrd,
        "cmdline_sha256": hashes.cmdline,
        "append": kernel.append,
        **{f"{blob}_{name}": _column(origin, name) for blob, origin in origins.items() for name in _BLOB_FIELDS},
    }


def _column(origin: BlobWire | None, name: str) -> Any:
    value = getattr(origin, name, None)
    return bytes.fromhex(value) if value and name == "package_sha256" else value
