"""Lookup: a launch digest becomes the configurations that have it, all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord
from catalog.firmware.build import NOT_RECORDED
from catalog.query.store import Catalog, check_schema
from catalog.release import manifest

_PROVENANCE = ("distribution", "suite", "package", "version", "package_sha256", "path")


@dataclass(frozen=True, slots=True)
class Match:
    """One configuration with the digest asked for. firmware, kernel_hashes: rows of the component tables."""

    launch_digest: LaunchDigest
    technology: str
    firmware: Mapping[str, Any]
    kernel_hashes: Mapping[str, Any] | None
    vmm: str | None
    vmm_title: str | None
    vcpus: int | None
    vcpu_signature: VcpuSignature | None
    vcpu_types: tuple[str, ...]
    sev_features: int | None
    launchable: str
    launchable_reason: str
    launchable_source: str

    @property
    def kernel_hashes_enforced(self) -> str:
        """yes, no or unknown: whether this firmware refuses a kernel other than the measured one."""
        return str(self.firmware["kernel_hashes_enforced"])

    def notes(self) -> list[str]:
        """What a reader has to know before relying on this digest; never that it can be trusted."""
        notes = [_kernel_note(self)]
        if self.launchable != "yes":
            expected = "is not expected to launch" if self.launchable == "no" else "is not known to launch"
            notes.append(f"this build {expected} under {self.technology}: {self.launchable_reason}")
        return notes

    def to_dict(self) -> dict[str, Any]:
        """The match as JSON has it: digests and hashes in hex, numbers of bits in 0x-hex."""
        kernel = self.kernel_hashes
        return {
            "launch_digest": self.launch_digest.hex(),
            "technology": self.technology,
            "firmware": {
                "name": self.firmware["name"],
                "sha256": self.firmware["sha256"].hex(),
                "sha384": self.firmware["sha384"].hex(),
                "size": self.firmware["size"],
                **{name: _hex(self.firmware[name]) for name in _PROVENANCE},
            },
            "kernel_hashes": kernel
            and {
                "name": kernel["name"],
                "table_sha256": kernel["table_sha256"].hex(),
                "kernel_sha256": kernel["kernel_sha256"].hex(),
                "initrd_sha256": kernel["initrd_sha256"].hex(),
                "cmdline_sha256": kernel["cmdline_sha256"].hex(),
                "append": kernel["append"],
            },
            "kernel_hashes_enforced": self.kernel_hashes_enforced,
            "vmm": self.vmm,
            "vmm_title": self.vmm_title,
            "vcpus": self.vcpus,
            "vcpu_signature": None if self.vcpu_signature is None else str(self.vcpu_signature),
            "vcpu_types": list(self.vcpu_types),
            "sev_features": None if self.sev_features is None else f"{self.sev_features:#x}",
            "launchable": self.launchable,
            "launchable_reason": self.launchable_reason,
            "launchable_source": self.launchable_source,
            "notes": self.notes(),
        }


def lookup(catalog: Catalog, digest: LaunchDigest) -> tuple[Match, ...]:
    """Every configuration of the catalog with that digest, by technology, firmware and kernel name.

    Raises VerificationFailed where a file is not the one the manifest names.
    """
    found = [
        match
        for technology, entry in catalog.manifest.technologies.items()
        if entry.digest_size == len(digest.value)
        for row in _rows(catalog, technology, digest)
        for match in _matches(catalog, digest, row)
    ]
    found.sort(key=_order)
    return tuple(found)


def _rows(catalog: Catalog, technology: str, digest: LaunchDigest) -> Iterator[dict[str, Any]]:
    """Rows with exactly that digest, from the row groups whose range it falls in."""
    name = f"{technology}/{manifest.DIGESTS}"
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(catalog.verified(name)), page_checksum_verification=True)
        check_schema(file.schema_arrow, technology, name)
        for group in range(file.num_row_groups):
            range_of = file.metadata.row_group(group).column(0).statistics
            if range_of is None or range_of.min <= digest.value <= range_of.max:
                table = file.read_row_group(group, use_threads=False)
                wanted = pa.scalar(digest.value, table.schema.field("launch_digest").type)
                yield from table.filter(pc.equal(table["launch_digest"], wanted)).to_pylist()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise MalformedRecord(f"{name} is not a table of launch digests") from error


def _matches(catalog: Catalog, digest: LaunchDigest, row: Mapping[str, Any]) -> Iterator[Match]:
    """A row for each name its components have."""
    firmware = catalog.firmware.get(row["firmware_sha256"])
    table = row["kernel_hashes_sha256"]
    kernels: list[dict[str, Any]] | list[None] | None = [None] if table is None else catalog.kernel_hashes.get(table)
    vmm = row["vmm"]
    if firmware is None or kernels is None or (vmm is not None and vmm not in catalog.profiles):
        raise MalformedRecord("the catalog has a row whose components it does not list")
    signature = None if row["vcpu_signature"] is None else VcpuSignature(row["vcpu_signature"])
    for build, kernel in itertools.product(firmware, kernels):
        recorded = catalog.launchable.get((build["name"], row["technology"]), {})
        yield Match(
            launch_digest=digest,
            technology=row["technology"],
            firmware=build,
            kernel_hashes=kernel,
            vmm=vmm,
            vmm_title=vmm and catalog.profiles[vmm].wire.title,
            vcpus=row["vcpus"],
            vcpu_signature=signature,
            vcpu_types=() if signature is None else catalog.vcpu_types.names(signature),
            sev_features=row["sev_features"],
            launchable=recorded.get("verdict", NOT_RECORDED.verdict),
            launchable_reason=recorded.get("reason", NOT_RECORDED.reason),
            launchable_source=recorded.get("source", NOT_RECORDED.source),
        )


def _kernel_note(match: Match) -> str:
    if match.kernel_hashes is None:
        return "no kernel hashes were measured: the host chose what the firmware boots"
    if match.kernel_hashes_enforced == "yes":
        return "kernel, initrd and command line are measured, and the firmware carries the verifier that enforces it"
    if match.kernel_hashes_enforced == "no":
        return (
            "kernel hashes are measured but not enforced: this firmware lacks the verifier "
            "and boots any kernel the host passes"
        )
    return "kernel hashes are measured; whether this firmware enforces them is unknown"


def _order(match: Match) -> tuple[str, str, str, str, int, int, int]:
    return (
        match.technology,
        match.firmware["name"],
        match.kernel_hashes["name"] if match.kernel_hashes else "",
        match.vmm or "",
        match.vcpu_signature.value if match.vcpu_signature else -1,
        match.sev_features if match.sev_features is not None else -1,
        match.vcpus or 0,
    )


def _hex(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
