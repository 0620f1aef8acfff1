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
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.launch_image import LaunchImage
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint, VmmPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import measure, refused, technology_named
from catalog.launch.vmsa_updates import vmsa_page_hashes
from catalog.rows.fields import AXES, BESIDE_COMPONENTS, COLUMNS, DIGEST, IDENTITY, INPUTS, identity
from catalog.rows.launch_base import LaunchBase

_SWEEP_AXES = tuple(field for field in AXES if field.name != "vcpus")
_SWEEP_INPUTS = tuple(field for field in INPUTS if field.name not in ("technology", "vcpus"))


@dataclass(frozen=True, slots=True)
class LaunchConfig:
    """Everything that a launch digest depends on. None: the technology or the profile does not measure it.

    technology: name.
    firmware: an image or an IGVM file; None with a base, as kernel_hashes: neither is known.
    base: the published launch digest that this launch continues, with its own VMM, vCPU signature and sev_features.
    vcpu_signature: CPUID(1).EAX.
    sev_features: u64, including bit 0 (SNPActive).
    vcpus: 1 to 4096.
    """

    technology: str
    firmware: LaunchImage | None
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
        """The firmware image; raises MalformedRecord if it is not known, or if there is an IGVM file in its place."""
        if self.firmware is None:
            raise MalformedRecord("the firmware of this launch is not known: it continues a base")
        if isinstance(self.firmware, IgvmComponent):
            raise MalformedRecord("this launch is from an IGVM file, not from a firmware image")
        return self.firmware

    @property
    def launched(self) -> LaunchImage:
        """The firmware image or IGVM file; raises MalformedRecord if it is not known."""
        return self.firmware or self.image

    @property
    def igvm(self) -> IgvmLaunch | None:
        """The launch from an IGVM file; None for any other. Raises MalformedRecord without a VMM."""
        if not isinstance(self.firmware, IgvmComponent):
            return None
        if self.vmm is None:
            raise MalformedRecord("the digest of an IGVM file depends on its loader, and no VMM is given")
        return IgvmLaunch(self.firmware, self.technology, self.vmm, self.kernel_hashes)

    @property
    def key(self) -> bytes:
        """What identifies the firmware, or the base: a SHA-256, or an SNP launch digest."""
        return self.base.facts.digest if self.base else self.launched.key

    @property
    def vcpus_before(self) -> int:
        """vCPUs in the state with which the chain begins: of the base, or of contexts of an IGVM file; 0 for others."""
        if self.base:
            return self.base.facts.vcpus
        return self.igvm.vcpus_before if self.igvm else 0

    @property
    def blocker(self) -> str | None:
        """Why this configuration cannot launch, or None. Raises as `point`."""
        if self.base:
            few = self.vcpus is not None and self.vcpus <= self.vcpus_before
            return self.base.blocker or (f"its base has {self.vcpus_before} vCPUs" if few else None)
        if self.igvm:
            return self._igvm_blocker(self.igvm)
        return technology_named(self.technology).launch_blocker(self.image, self.point)

    def _igvm_blocker(self, launch: IgvmLaunch) -> str | None:
        if self.sev_features is not None:
            return "the sev_features of an IGVM file are those that the file has"
        return launch.blocker or launch.point_blocker(self.vcpus, self.vcpu_signature)

    @property
    def point(self) -> Point:
        """The configuration of an image as `measure` takes it; raises UsageError if the profile does not allow it."""
        if self.vmm and technology_named(self.technology).point_type is VmmPoint:
            return VmmPoint(self.kernel_hashes, self.vmm)
        if self.vmm is None or self.sev_features is None or self.vcpus is None:
            return FirmwarePoint(self.kernel_hashes)
        return VcpuPoint(self.kernel_hashes, self.vmm, self.vcpu_signature, self.sev_features, self.vcpus)

    def digest(self) -> LaunchDigest:
        """The launch digest, by `measure`. Raises CannotLaunch, UnknownName for the technology, and as `point`."""
        if self.base:
            return self.base.digest(self.vcpus or 0)
        if self.igvm:
            if reason := self._igvm_blocker(self.igvm):
                raise refused(self.technology, reason)
            return self.igvm.digest(self.vcpus, self.vcpu_signature)
        return measure(technology_named(self.technology), self.image, self.point)

    def vmsa_page_hashes(self) -> tuple[bytes | None, bytes | None]:
        """SHA-256 of the VMSA page of the BSP and of an AP; None if there is none, or it is not known."""
        if self.base:
            return None, self.base.ap_page_hash()
        if self.igvm:
            return self.igvm.vmsa_hashes(self.vcpus, self.vcpu_signature)
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
            "firmware_sha256": self.launched.sha256 and self.launched.sha256.hex(),
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

    firmware: images by SHA-256, or by SNP baseline if that is all that is known; IGVM files by SHA-256.
    kernel_hashes: by SHA-256 of the table.
    vmm: VMM profiles by name.
    bases: by launch digest.
    """

    firmware: Mapping[bytes, LaunchImage]
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

    def _image(self, row: Mapping[str, Any]) -> LaunchImage:
        found: LaunchImage = _named("firmware", identity(row), self.firmware)
        if (found.sha256 is None) != (row["firmware_sha256"] is None):
            raise MalformedRecord("a row names its firmware by another hash than the strongest one that is known")
        return found


def _named(what: str, name: Any, known: Mapping[Any, Any]) -> Any:
    if name not in known:
        raise MalformedRecord(f"the release has no {what} {name.hex() if isinstance(name, bytes) else name}")
    return known[name]
