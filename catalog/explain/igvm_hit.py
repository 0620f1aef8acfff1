"""IgvmHit: a launch from an IGVM file that has the digest, or was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.firmware.build import FirmwareBuild
from catalog.rows.launch_config import LaunchConfig


@dataclass(frozen=True, slots=True)
class IgvmHit:
    """A launch from an IGVM file that has the digest. kernel: label of its kernel hashes."""

    build: FirmwareBuild
    found: LaunchConfig
    kernel: str

    def config(self) -> LaunchConfig:
        """The launch configuration, as of a Candidate."""
        return self.found

    @property
    def vcpus(self) -> int | None:
        """Number of vCPUs; None if the digest does not depend on it."""
        return self.found.vcpus

    def values(self) -> dict[str, Any]:
        """What may differ from an expected launch, by axis, as it is shown."""
        found = self.found
        return {
            "vcpus": found.vcpus,
            "vmm": found.vmm and found.vmm.name,
            "vcpu_signature": found.vcpu_signature and str(found.vcpu_signature),
            "kernel_hashes": self.kernel,
            "firmware": self.build.name,
            "technology": found.technology,
        }

    def differences(self, expected: IgvmHit) -> list[tuple[str, str, str]]:
        """Axis, expected and found value, for each axis on which this launch differs from the expected one."""
        same = {
            "firmware": self.build.component.key == expected.build.component.key,
            "kernel_hashes": self.found.kernel_hashes == expected.found.kernel_hashes,
        }
        pairs = ((axis, expected.values()[axis], value) for axis, value in self.values().items())
        return [(axis, _shown(own), _shown(other)) for axis, own, other in pairs if not same.get(axis, own == other)]


def _shown(value: object) -> str:
    return "not measured" if value is None else str(value)
