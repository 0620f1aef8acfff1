"""The tables of a catalog: Arrow schemas, sorting, and Parquet files that are equal byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.firmware.build import FirmwareBuild
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import technology_named
from catalog.launch.vmsa_segments import vmsa_page_hashes
from catalog.release.enumeration import Family
from catalog.release.kernel_record import KernelRecord

ROW_GROUP = 1 << 16
"""Rows of a row group: DuckDB and pyarrow skip groups by their smallest and largest digest."""

_SHA256 = pa.binary(32)

KEY_COLUMNS = [
    pa.field("technology", pa.string(), nullable=False),
    pa.field("firmware_sha256", _SHA256, nullable=False),
    pa.field("kernel_hashes_sha256", _SHA256),
    pa.field("vmm", pa.string()),
    pa.field("bsp_vmsa_sha256", _SHA256),
    pa.field("ap_vmsa_sha256", _SHA256),
    pa.field("vcpu_signature", pa.uint32()),
    pa.field("sev_features", pa.uint64()),
    pa.field("vcpus", pa.uint16()),
]
"""Columns that determine a digest: components by hash, then the numbers. Null: not measured.

kernel_hashes_sha256: of the 176-byte table. ap_vmsa_sha256: null with one vCPU, when no AP is launched.
"""

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
"""One row a build; `record` is the whole component as TOML, from which any digest can be made."""

LAUNCHABLE = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("firmware", "technology", "verdict", "reason", "source")]
)
"""Whether a build, by name, can be expected to launch under a technology, why, and who says it."""

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
"""One row a kernel hashes table; initrd_sha256 of no initrd is that of the empty file."""


def digest_schema(technology: str, digest_size: int) -> pa.Schema:
    """Schema of a technology's digests: launch_digest of `digest_size` bytes, then KEY_COLUMNS."""
    digest = pa.field("launch_digest", pa.binary(digest_size), nullable=False)
    return pa.schema([digest, *KEY_COLUMNS], metadata={"technology": technology})


def digest_table(technology: str, families: Sequence[Family], digests: Sequence[bytes]) -> pa.Table:
    """Rows of one technology's families, sorted by digest and, where digests are equal, by family."""
    size = technology_named(technology).digest_size
    count = sum(len(family.vcpus) for family in families)
    values = pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), count, [None, pa.py_buffer(b"".join(digests))])
    family_of = pa.array((n for n, family in enumerate(families) for _ in family.vcpus), pa.int32())
    vcpus = pa.array((v for family in families for v in family.vcpus), pa.uint16())
    rows = pa.table({"launch_digest": values, "family": family_of, "vcpus": vcpus})
    rows = rows.sort_by([("launch_digest", "ascending"), ("family", "ascending"), ("vcpus", "ascending")])
    keys = pa.Table.from_pylist([_family_row(family) for family in families], pa.schema(_FAMILY_FIELDS))
    columns = keys.take(rows["family"])
    alone = pa.compute.equal(rows["vcpus"], 1)
    no_ap = pa.compute.if_else(alone, pa.scalar(None, _SHA256), columns["ap_vmsa_sha256"])
    columns = columns.set_column(columns.schema.get_field_index("ap_vmsa_sha256"), "ap_vmsa_sha256", no_ap)
    table = columns.append_column("vcpus", rows["vcpus"]).add_column(0, "launch_digest", rows["launch_digest"])
    return table.cast(digest_schema(technology, size))


_FAMILY_FIELDS = [field for field in KEY_COLUMNS if field.name != "vcpus"]


def firmware_table(builds: Iterable[FirmwareBuild]) -> pa.Table:
    """The builds, by name."""
    return pa.Table.from_pylist([_firmware_row(build) for build in builds], FIRMWARE)


def launchable_table(builds: Iterable[FirmwareBuild], technologies: Iterable[str]) -> pa.Table:
    """What is recorded about launching each build, by build and technology."""
    names = sorted(technologies)
    rows = []
    for build in builds:
        for name in names:
            found = build.launchability(name)
            rows.append(
                {"firmware": build.name, "technology": name, "verdict": found.verdict}
                | {"reason": found.reason, "source": found.source}
            )
    return pa.Table.from_pylist(rows, LAUNCHABLE)


def kernel_hashes_table(kernels: Iterable[KernelRecord]) -> pa.Table:
    """The kernel hashes tables, by name."""
    return pa.Table.from_pylist([_kernel_row(kernel) for kernel in kernels], KERNEL_HASHES)


def write_parquet(table: pa.Table, path: Path, *, sorted_by: str) -> None:
    """Write a table; the bytes depend on its rows and the version of pyarrow alone."""
    dictionary = [name for name in table.column_names if name not in ("launch_digest", "vcpus", "record")]
    compression = {name: "NONE" if name == "launch_digest" else "ZSTD" for name in table.column_names}
    with path.open("wb") as file:  # pyarrow takes no path that is not UTF-8
        pq.write_table(
            table,
            file,
            row_group_size=ROW_GROUP,
            compression=compression,
            use_dictionary=dictionary,
            write_page_checksum=True,
            store_schema=False,
            sorting_columns=[pq.SortingColumn(table.column_names.index(sorted_by))],
        )


def _family_row(family: Family) -> dict[str, Any]:
    point = family.point(family.vcpus[0])
    pages: tuple[bytes | None, bytes | None] = (None, None)
    if isinstance(point, VcpuPoint):
        pages = vmsa_page_hashes(family.firmware, point)
    return {
        "technology": family.technology,
        "firmware_sha256": family.firmware.sha256,
        "kernel_hashes_sha256": family.kernel_hashes.table_sha256 if family.kernel_hashes else None,
        "vmm": family.vmm.name if family.vmm else None,
        "bsp_vmsa_sha256": pages[0],
        "ap_vmsa_sha256": pages[1],
        "vcpu_signature": family.vcpu_signature.value if family.vcpu_signature else None,
        "sev_features": family.sev_features,
    }


def _firmware_row(build: FirmwareBuild) -> dict[str, Any]:
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
