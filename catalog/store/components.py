"""Components: the contents of a catalog's component files, each read and verified once, when it is needed."""

from __future__ import annotations

from typing import Any, Protocol

from catalog.abi.kernel_hashes import KernelHashes
from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild, OriginWire
from catalog.firmware.kernel_record import BlobWire, KernelRecord, KernelWire
from catalog.imports.endorsed_facts import Base
from catalog.launch.profile import VmmProfile
from catalog.launch.vcpu_types import VcpuTypes
from catalog.rows.launch_base import LaunchBase
from catalog.spec import named_builds
from catalog.store import manifest
from catalog.store.component_rows import base_of
from catalog.store.manifest import Manifest
from catalog.store.parquet import has_pyarrow, read_parquet
from catalog.work.unlocked_property import cached_property

PROVENANCE = OriginWire.__struct_fields__
"""Columns with the place where a build, a kernel or an initrd was published."""

Row = dict[str, Any]


class ComponentFiles(Protocol):
    """A catalog whose files are verified as they are read."""

    @property
    def manifest(self) -> Manifest:
        """The manifest of the catalog."""

    def verified(self, name: str) -> bytes:
        """The verified bytes of a file."""


class Components:
    """The components of a catalog. Each property raises as `verified`, and MalformedRecord for an invalid file."""

    def __init__(self, files: ComponentFiles) -> None:
        self._files = files

    @property
    def manifest(self) -> Manifest:
        return self._files.manifest

    def verified(self, name: str) -> bytes:
        """The verified bytes of a file; raises Unreadable and VerificationFailed."""
        return self._files.verified(name)

    @cached_property
    def firmware(self) -> list[Row]:
        """Rows of the table of builds."""
        return self._rows(manifest.FIRMWARE)

    @cached_property
    def builds(self) -> list[FirmwareBuild]:
        """The builds, parsed from their records, in the order of the rows."""
        of_tdx = {row["name"]: row["tdx"] for row in self.tdx_firmware}
        return [
            named_builds.build_of_record(row["record"], of_tdx.get(row["name"]), bare=True) for row in self.firmware
        ]

    @cached_property
    def tdx_firmware(self) -> list[Row]:
        """Rows of the table of TDX facts; empty if the catalog has no rows of TDX."""
        return self._rows(manifest.TDX_FIRMWARE) if manifest.TDX_FIRMWARE in self.manifest.files else []

    @cached_property
    def launchable(self) -> list[Row]:
        """Rows of the table of launchability."""
        return self._rows(manifest.LAUNCHABLE)

    @cached_property
    def kernel_hashes(self) -> list[Row]:
        """Rows of the table of kernel hashes."""
        return self._rows(manifest.KERNEL_HASHES)

    @cached_property
    def kernels(self) -> list[KernelRecord]:
        """The same rows as records."""
        return [_kernel(row) for row in self.kernel_hashes]

    @cached_property
    def bases(self) -> list[Base]:
        """The bases, in the order of the rows; empty if the catalog has none."""
        if manifest.BASES not in self.manifest.files:
            return []
        return [base_of(row) for row in self._rows(manifest.BASES)]

    @cached_property
    def launch_bases(self) -> dict[bytes, LaunchBase]:
        """The bases by their launch digest; raises UnknownName for a VMM profile or vCPU type that is not there."""
        profiles = {profile.name: profile for profile in self.profiles.values()}
        return {base.digest: LaunchBase.of(base, profiles, self.vcpu_types) for base in self.bases}

    @cached_property
    def profiles(self) -> dict[str, VmmProfile]:
        """The VMM profiles by the name of their file."""
        return {name: VmmProfile.parse(self._text(name)) for name in self.manifest.profiles}

    def profiles_of(self, technology: str | None) -> list[VmmProfile]:
        """The VMM profiles that a technology keeps for itself; None: those of all others."""
        folder = manifest.vmm_folder(technology) if technology else manifest.VMM_FOLDER
        return [profile for name, profile in self.profiles.items() if name.startswith(f"{folder}/")]

    @cached_property
    def vcpu_types(self) -> VcpuTypes:
        return VcpuTypes.parse(self._text(manifest.VCPU_TYPES))

    def _text(self, name: str) -> str:
        try:
            return self.verified(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedRecord(f"{name} is not UTF-8 text") from error

    def _rows(self, name: str) -> list[Row]:
        if not has_pyarrow():
            from catalog.store.plain.component_reader import read_component

            return read_component(self._files, name)
        from catalog.store.component_tables import read_rows

        return read_rows(read_parquet(self._files, name), name)


def _kernel(row: Row) -> KernelRecord:
    blobs = {
        blob: BlobWire(
            sha256=row[f"{blob}_sha256"].hex(), **{name: _text(row[f"{blob}_{name}"]) for name in PROVENANCE}
        )
        for blob in ("kernel", "initrd")
    }
    hashes = KernelHashes(row["kernel_sha256"], row["initrd_sha256"], row["cmdline_sha256"])
    append_sha256 = None if row["append"] is not None else row["cmdline_sha256"].hex()
    wire = KernelWire(row["name"], append=row["append"], append_sha256=append_sha256, **blobs)
    return KernelRecord(row["name"], hashes, row["append"], wire)


def _text(value: str | bytes | None) -> str | None:
    return value.hex() if isinstance(value, bytes) else value
