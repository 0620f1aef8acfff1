"""The rows of a catalog's component tables: their columns, and how builds, kernels and bases are written in them.

Without Arrow: a slim install reads these tables, too (store/plain/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import BlobWire, KernelRecord
from catalog.firmware.tdx.tdx_record import facts_json
from catalog.imports.endorsed_facts import Base, Endorser
from catalog.store import manifest


class Column(NamedTuple):
    """A column. kind: a hash is bytes, a number is unsigned, of that many bits."""

    name: str
    kind: Literal["text", "hash", "uint16", "uint32", "uint64"] = "text"
    nullable: bool = False


FIRMWARE = (
    Column("name"),
    Column("sha256", "hash", nullable=True),
    Column("sha384", "hash", nullable=True),
    Column("size", "uint32", nullable=True),
    Column("snp_baseline", "hash", nullable=True),
    Column("firmware_version", nullable=True),
    Column("distribution", nullable=True),
    Column("suite", nullable=True),
    Column("package", nullable=True),
    Column("version", nullable=True),
    Column("package_sha256", "hash", nullable=True),
    Column("path", nullable=True),
    Column("kernel_hashes_enforced"),
    Column("record"),
)
"""One row for each build; `record` is its whole record as TOML, from which any of its digests can be computed.

Null: not known, or nowhere published. sha256, sha384, size: of the file.
"""

TDX_FIRMWARE = tuple(map(Column, ("name", "tdx")))
"""The TDX facts of a build, by name, as canonical JSON: `record` of FIRMWARE is without them."""

LAUNCHABLE = tuple(map(Column, ("firmware", "technology", "verdict", "reason", "source")))
"""Whether a build, by name, is expected to launch under a technology, the reason, and the source of the statement."""

_BLOB_FIELDS = ("distribution", "suite", "package", "version", "package_sha256", "path")

KERNEL_HASHES = (
    Column("name"),
    *(Column(f"{of}_sha256", "hash") for of in ("table", "kernel", "initrd", "cmdline")),
    Column("append", nullable=True),
    *(
        Column(f"{blob}_{name}", "hash" if name == "package_sha256" else "text", nullable=True)
        for blob in ("kernel", "initrd")
        for name in _BLOB_FIELDS
    ),
)
"""One row for each kernel hashes table.

Without an initrd, initrd_sha256 is the hash of the empty file. append is null if only the hash of the command line is
known.
"""

BASES = (
    Column("name"),
    Column("launch_digest", "hash"),
    Column("technology"),
    Column("vcpus", "uint16"),
    Column("reset_vector", "uint32", nullable=True),
    Column("product", nullable=True),
    Column("vcpu_type", nullable=True),
    Column("vmm", nullable=True),
    Column("sev_features", "uint64", nullable=True),
    Column("endorser_scheme"),
    Column("endorser_id", nullable=True),
    Column("endorser_feed", nullable=True),
    Column("endorser_svn", "uint64", nullable=True),
)
"""One row for each base; null: not known, or not said."""

COLUMNS: dict[str, tuple[Column, ...]] = {
    manifest.FIRMWARE: FIRMWARE,
    manifest.LAUNCHABLE: LAUNCHABLE,
    manifest.KERNEL_HASHES: KERNEL_HASHES,
    manifest.BASES: BASES,
    manifest.TDX_FIRMWARE: TDX_FIRMWARE,
}
"""The columns of each component table, by file name."""

SINCE_PARTS = ("snp_baseline", "firmware_version")
"""Columns of builds that older catalogs lack, in which each build has a SHA-256."""

WERE_TEXT = ("kernel_package_sha256", "initrd_package_sha256")
"""Hashes that older catalogs have in lower-case hex; their other hashes are of fixed length."""


def hash_sizes(column: str) -> tuple[int, ...]:
    """The sizes in bytes that a hash in a column may have."""
    if column == "launch_digest":
        return (32, 48)
    return (48,) if column in ("sha384", "snp_baseline") else (32,)


def launchable_rows(builds: Iterable[FirmwareBuild], technologies: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of the table LAUNCHABLE, by column: one for each build and technology."""
    names = sorted(technologies)
    for build in builds:
        for name in names:
            found = build.launchability(name)
            yield (
                {"firmware": build.name, "technology": name, "verdict": found.verdict}
                | {"reason": found.reason, "source": found.source}
            )


def base_of(row: Mapping[str, Any]) -> Base:
    """The base of a row of the table BASES; raises MalformedRecord for values that no base has."""
    endorser = Endorser(*(row[f"endorser_{name}"] for name in _ENDORSER))
    return Base(row["launch_digest"], row["technology"], endorser, **{name: row[name] for name in _BASE_FACTS})


_ENDORSER = ("scheme", "id", "feed", "svn")
_BASE_FACTS = ("name", "vcpus", "reset_vector", "product", "vcpu_type", "vmm", "sev_features")


def base_row(base: Base) -> dict[str, Any]:
    """A base as a row of the table BASES, by column."""
    return {
        "launch_digest": base.digest,
        "technology": base.technology,
        **{name: getattr(base, name) for name in _BASE_FACTS},
        "name": base.label,
        **{f"endorser_{name}": getattr(base.endorser, name) for name in _ENDORSER},
    }


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
        "record": build.with_tdx(None).to_toml(),
    }


def tdx_rows(builds: Iterable[FirmwareBuild]) -> Iterator[dict[str, str]]:
    """The rows of the table TDX_FIRMWARE, by column: one for each build whose TDX facts are known."""
    return ({"name": one.name, "tdx": facts_json(one.component.tdx)} for one in builds if one.component.tdx)


def kernel_row(kernel: KernelRecord) -> dict[str, Any]:
    """A kernel hashes table as a row of the table KERNEL_HASHES, by column."""
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
