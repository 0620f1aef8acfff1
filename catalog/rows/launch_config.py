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
from catalog.rows.fields import AXES, BESIDE_COMPONENTS, COLUMNS, DIGEST, IDENTITY, INPUTS, identity
from catalog.rows.launch_base import LaunchBase

_SWEEP_AXES = tuple(field for field in AXES if field.name != "vcpus")
_SWEEP_INPUTS = tuple(field for field in INPUTS if field.name not in ("technology", "vcpus"))


@dataclass(frozen=True, slots=True)
class LaunchConfig:
    """Everything that a launch digest depends on. None: the technology or the profile does not measure it.

    technology: name.
    firmware: None with a base, as kernel_hashes: neither is known.
    base: the published launch digest that this launch continues, with its own VMM, vCPU signature and sev_features.
    vcpu_signature: CPUID(1).EAX.
    sev_features: u64, including bit 0 (SNPActive).
    vcpus: 1 to 4096.
    """

    technology: str
    firmware: FirmwareComponent | None
    kernel_hashes: KernelHashes | None = None
    vmm: VmmProfile | None = None
    vcpu_signature: VcpuSignature | None = None
    sev_features: int | None = None
    vcpus: int | None = None
    base: LaunchBase | None = None

    @classmethod
    def continuing(cls, base: LaunchBase) -> LaunchConfig:
        """The launch that continues a base, without a vCPU count."""
        facts = base.facts
        return cls(facts.technology, None, None, base.vmm, base.vcpu_signature, facts.sev_features, base=base)

    @property
    def image(self) -> FirmwareComponent:
        """The firmware; raises MalformedRecord if it is not known."""
        if self.firmware is None:
            raise MalformedRecord("the firmware of this launch is not known: it continues a base")
        return self.firmware

    @property
    def key(self) -> bytes:
        """What identifies the firmware, or the base: a SHA-256, or an SNP launch digest."""
        return self.base.facts.digest if self.base else self.image.key

    @property
    def vcpus_before(self) -> int:
        """vCPUs of the base; 0 without one."""
        return self.base.facts.vcpus if self.base else 0

    @property
    def blocker(self) -> str | None:
        """Why this configuration cannot launch, or None. Raises as `point`."""
        if self.base:
            few = self.vcpus is not None and self.vcpus <= self.vcpus_before
            return self.base.blocker or (f"its base has {self.vcpus_before} vCPUs" if few else None)
        return technology_named(self.technology).launch_blocker(self.image, self.point)

    @property
    def point(self) -> Point:
        """The configuration as `measure` takes it; raises UsageError if the profile does not allow the combination."""
        if self.vmm is None or self.sev_features is None or self.vcpus is None:
            return FirmwarePoint(self.kernel_hashes)
        return VcpuPoint(self.kernel_hashes, self.vmm, self.vcpu_signature, self.sev_features, self.vcpus)

    def digest(self) -> LaunchDigest:
        """The launch digest, by `measure`. Raises CannotLaunch, UnknownName for the technology, and as `point`."""
        if self.base:
            return self.base.digest(self.vcpus or 0)
        return measure(technology_named(self.technology), self.image, self.point)

    def vmsa_page_hashes(self) -> tuple[bytes | None, bytes | None]:
        """SHA-256 of the VMSA page of the BSP and of an AP; None if there is none, or it is not known."""
        if self.base:
            return None, self.base.ap_page_hash()
        point = self.point
        if not isinstance(point, VcpuPoint):
            return None, None
        bsp, ap = vmsa_page_hashes(self.image, point)
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
            "firmware_sha256": self.image.sha256 and self.image.sha256.hex(),
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
        one = self.config
        if vcpus == one.vcpus:
            return one
        vmsa = one.vmm, one.vcpu_signature, one.sev_features  # replace() would take five times as long
        return LaunchConfig(one.technology, one.firmware, one.kernel_hashes, *vmsa, vcpus, one.base)


@dataclass(frozen=True, slots=True)
class LaunchComponents:
    """Components by their keys in rows.

    firmware: images by SHA-256, or by SNP baseline if that is all that is known.
    kernel_hashes: by SHA-256 of the table.
    vmm: VMM profiles by name.
    bases: by launch digest.
    """

    firmware: Mapping[bytes, FirmwareComponent]
    kernel_hashes: Mapping[bytes, KernelHashes]
    vmm: Mapping[str, VmmProfile]
    bases: Mapping[bytes, LaunchBase]

    def config(self, row: Mapping[str, Any]) -> LaunchConfig:
        """The launch configuration of a row. row: values by column.

        Raises MalformedRecord for a component that is missing, or does not belong to the others.
        """
        if sum(row[name] is not None for name in IDENTITY) != 1:
            raise MalformedRecord(f"a row has exactly one of {', '.join(IDENTITY)}")
        table, vmm, signature = row["kernel_hashes_sha256"], row["vmm"], row["vcpu_signature"]
        config = LaunchConfig(
            technology=row["technology"],
            firmware=None if row["base_digest"] else self._image(row),
            kernel_hashes=None if table is None else _named("kernel hashes table", table, self.kernel_hashes),
            vmm=None if vmm is None else _named("VMM profile", vmm, self.vmm),
            vcpu_signature=None if signature is None else VcpuSignature(signature),
            sev_features=row["sev_features"],
            vcpus=row["vcpus"],
            base=_named("base", row["base_digest"], self.bases) if row["base_digest"] else None,
        )
        if config.base and config != replace(LaunchConfig.continuing(config.base), vcpus=config.vcpus):
            raise MalformedRecord("a row has another technology, VMM, vCPU signature or sev_features than its base")
        return config

    def _image(self, row: Mapping[str, Any]) -> FirmwareComponent:
        found: FirmwareComponent = _named("firmware", identity(row), self.firmware)
        if (found.sha256 is None) != (row["firmware_sha256"] is None):
            raise MalformedRecord("a row names its firmware by another hash than the strongest one that is known")
        return found


def _named(what: str, name: Any, known: Mapping[Any, Any]) -> Any:
    if name not in known:
        raise MalformedRecord(f"the release has no {what} {name.hex() if isinstance(name, bytes) else name}")
    return known[name]
