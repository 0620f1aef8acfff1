"""The tables of a catalog's components: Arrow schemas, and Parquet files that are reproducible byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.firmware.build import FirmwareBuild
from catalog.spec.kernel_record import KernelRecord
from catalog.store import manifest

_SHA256 = pa.binary(32)

FIRMWARE = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("sha256", _SHA256, nullable=False),
        pa.field("sha384", pa.binary(48), nullable=False),
        pa.field("size", pa.uint32(), nullable=False),
        pa.field("distribution", pa.string()),
        pa.field("suite", pa.string()),
        pa.field("package", pa.string()),
        pa.field("version", pa.string()),
        pa.field("package_sha256", _SHA256),
        pa.field("path", pa.string()),
        pa.field("kernel_hashes_enforced", pa.string(), nullable=False),
        pa.field("record", pa.string(), nullable=False),
    ]
)
"""One row for each build; `record` is its whole record as TOML, from which any of its digests can be computed."""

LAUNCHABLE = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("firmware", "technology", "verdict", "reason", "source")]
)
"""Whether a build, by name, is expected to launch under a technology, the reason, and the source of the statement."""

_BLOB_FIELDS = ("distribution", "suite", "package", "version", "package_sha256", "path")

KERNEL_HASHES = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("table_sha256", _SHA256, nullable=False),
        pa.field("kernel_sha256", _SHA256, nullable=False),
        pa.field("initrd_sha256", _SHA256, nullable=False),
        pa.field("cmdline_sha256", _SHA256, nullable=False),
        pa.field("append", pa.string(), nullable=False),
        *(pa.field(f"{blob}_{name}", pa.string()) for blob in ("kernel", "initrd") for name in _BLOB_FIELDS),
    ]
)
"""One row for each kernel hashes table; without an initrd, initrd_sha256 is the hash of the empty file."""


SCHEMAS = {manifest.FIRMWARE: FIRMWARE, manifest.LAUNCHABLE: LAUNCHABLE, manifest.KERNEL_HASHES: KERNEL_HASHES}
"""Schema of each component table, by file name."""


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
        **{name: getattr(origin, name, None) for name in _BLOB_FIELDS},
        "package_sha256": bytes.fromhex(origin.package_sha256) if origin else None,
        "kernel_hashes_enforced": component.kernel_hashes_enforced.value,
        "record": build.to_toml(),
    }


def _kernel_row(kernel: KernelRecord) -> dict[str, Any]:
    hashes = kernel.hashes
    return {
        "name": kernel.name,
        "table_sha256": hashes.table_sha256,
        "kernel_sha256": hashes.kernel,
        "initrd_sha256": hashes.initrd,
        "cmdline_sha256": hashes.cmdline,
        "append": kernel.append,
        **{f"kernel_{name}": getattr(kernel.wire.kernel, name) for name in _BLOB_FIELDS},
        **{f"initrd_{name}": getattr(kernel.wire.initrd, name, None) for name in _BLOB_FIELDS},
    }
