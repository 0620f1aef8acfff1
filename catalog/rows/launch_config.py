"""LaunchConfig: one launch configuration, and the only place that converts it to a row, to JSON, or to a point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord
from catalog.firmware.component import FirmwareComponent
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import measure, technology_named
from catalog.launch.vmsa_updates import vmsa_page_hashes
from catalog.rows.fields import AXES, BESIDE_COMPONENTS, COLUMNS, DIGEST, INPUTS

_SWEEP_AXES = tuple(field for field in AXES if field.name != "vcpus")
_SWEEP_INPUTS = tuple(field for field in INPUTS if field.name not in ("technology", "vcpus"))


@dataclass(frozen=True, slots=True)
class LaunchConfig:
    """Everything that a launch digest depends on. None: the technology or the profile does not measure it.

    technology: name.
    vcpu_signature: CPUID(1).EAX.
    sev_features: u64, including bit 0 (SNPActive).
    vcpus: 1 to 4096.
    """

    technology: str
    firmware: FirmwareComponent
    kernel_hashes: KernelHashes | None = None
    vmm: VmmProfile | None = None
    vcpu_signature: VcpuSignature | None = None
    sev_features: int | None = None
    vcpus: int | None = None

    @property
    def point(self) -> Point:
        """The configuration as `measure` takes it; raises UsageError if the profile does not allow the combination."""
        if self.vmm is None or self.sev_features is None or self.vcpus is None:
            return FirmwarePoint(self.kernel_hashes)
        return VcpuPoint(self.kernel_hashes, self.vmm, self.vcpu_signature, self.sev_features, self.vcpus)

    def digest(self) -> LaunchDigest:
        """The launch digest, by `measure`. Raises CannotLaunch, UnknownName for the technology, and as `point`."""
        return measure(technology_named(self.technology), self.firmware, self.point)

    def vmsa_page_hashes(self) -> tuple[bytes | None, bytes | None]:
        """SHA-256 of the VMSA page of the BSP and of an AP; None if there is none."""
        point = self.point
        if not isinstance(point, VcpuPoint):
            return None, None
        bsp, ap = vmsa_page_hashes(self.firmware, point)
        return bsp, None if self.vcpus == 1 else ap

    def sweep_axes(self) -> tuple[Any, ...]:
        """The values of all axes but the vCPU count: with the profile they determine the registers of a VMSA."""
        return tuple([field.value(self) for field in _SWEEP_AXES])

    def sweep_inputs(self) -> tuple[Any, ...]:
        """The values of all inputs but technology and vCPU count: they tell the sweeps of a technology apart."""
        return tuple([field.value(self) for field in _SWEEP_INPUTS])

    def row(self) -> dict[str, Any]:
        """The row without its launch digest: values by column."""
        return {field.name: field.value(self) for field in COLUMNS if field is not DIGEST}

    def to_dict(self, firmware: str, kernel_hashes: str | None = None) -> dict[str, Any]:
        """The fields of a line of `ldcat measure --batch`, in JSON. firmware, kernel_hashes: their names."""
        hashes = self.kernel_hashes
        return {
            "technology": self.technology,
            "firmware": firmware,
            "firmware_sha256": self.firmware.sha256 and self.firmware.sha256.hex(),
            **({} if kernel_hashes is None else {"kernel_hashes": kernel_hashes}),
            "kernel_sha256": hashes and hashes.kernel.hex(),
            "initrd_sha256": hashes and hashes.initrd.hex(),
            "cmdline_sha256": hashes and hashes.cmdline.hex(),
            **{field.name: field.text(field.value(self)) for field in BESIDE_COMPONENTS},
        }


@dataclass(frozen=True, slots=True)
class VcpuSweep:
    """A launch configuration at several vCPU counts.

    config: without a vCPU count.
    vcpus: the counts, ascending; (None,) if the technology measures no vCPU.

    Its digests are a chain: each vCPU adds one VMSA.
    """

    config: LaunchConfig
    vcpus: tuple[int | None, ...]

    def at(self, vcpus: int | None) -> LaunchConfig:
        """The launch configuration at one of the counts."""
        return self.config if vcpus == self.config.vcpus else replace(self.config, vcpus=vcpus)


@dataclass(frozen=True, slots=True)
class LaunchComponents:
    """Components by their keys in rows: images and kernel hashes tables by SHA-256, VMM profiles by name."""

    firmware: Mapping[bytes, FirmwareComponent]
    kernel_hashes: Mapping[bytes, KernelHashes]
    vmm: Mapping[str, VmmProfile]

    def config(self, row: Mapping[str, Any]) -> LaunchConfig:
        """The launch configuration of a row. row: values by column. Raises MalformedRecord for a missing component."""
        table, vmm, signature = row["kernel_hashes_sha256"], row["vmm"], row["vcpu_signature"]
        return LaunchConfig(
            technology=row["technology"],
            firmware=_named("firmware", row["firmware_sha256"], self.firmware),
            kernel_hashes=None if table is None else _named("kernel hashes table", table, self.kernel_hashes),
            vmm=None if vmm is None else _named("VMM profile", vmm, self.vmm),
            vcpu_signature=None if signature is None else VcpuSignature(signature),
            sev_features=row["sev_features"],
            vcpus=row["vcpus"],
        )


def _named(what: str, name: Any, known: Mapping[Any, Any]) -> Any:
    if name not in known:
        raise MalformedRecord(f"the release has no {what} {name.hex() if isinstance(name, bytes) else name}")
    return known[name]
