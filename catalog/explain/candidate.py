"""A candidate of a search: one choice on each axis, which makes a launch configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.explain.search_space import Choice
from catalog.firmware.build import FirmwareBuild
from catalog.launch.point import VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.rows.launch_config import LaunchConfig


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration as one choice on each axis; None on axes that its technology or profile does not measure."""

    technology: Choice[str]
    firmware: Choice[FirmwareBuild]
    kernel_hashes: Choice[KernelHashes | None]
    vmm: Choice[VmmProfile] | None = None
    vcpu_signature: Choice[VcpuSignature] | None = None
    sev_features: Choice[int] | None = None
    vcpus: int | None = None

    @property
    def build(self) -> FirmwareBuild:
        """The firmware."""
        return self.firmware.value

    @property
    def kernel(self) -> str:
        """The label of its kernel hashes."""
        return self.kernel_hashes.label

    def config(self) -> LaunchConfig:
        """The launch configuration; without vCPUs under a technology that measures none."""
        technology, firmware, hashes = self.technology.value, self.firmware.value.component, self.kernel_hashes.value
        if self.vmm is None or self.sev_features is None or self.vcpus is None:
            return LaunchConfig(technology, firmware, hashes, self.vmm.value if self.vmm else None)
        signature = self.vcpu_signature.value if self.vcpu_signature else None
        features = self.sev_features.value | technology_named(technology).default_sev_features
        return LaunchConfig(technology, firmware, hashes, self.vmm.value, signature, features, self.vcpus)

    def vcpu_point(self) -> VcpuPoint:
        """The point of the configuration, under a technology that measures vCPUs."""
        point = self.config().point
        assert isinstance(point, VcpuPoint), "chains are of technologies that measure vCPUs"  # noqa: S101
        return point

    def choice(self, axis: str) -> Choice[Any] | None:
        """The choice on an axis; None if it is not measured."""
        if axis == "vcpus":
            return None if self.vcpus is None else Choice(self.vcpus, str(self.vcpus))
        found: Choice[Any] | None = getattr(self, axis)
        return found
