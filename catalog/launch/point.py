"""Points: launch configurations of a given firmware. Their fields are inputs of a row."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import UsageError
from catalog.launch.profile import VmmProfile

MAX_VCPUS = 4096
"""KVM_MAX_VCPUS of x86 kernels built for the largest machines (MAXSMP)."""


@dataclass(frozen=True, slots=True)
class FirmwarePoint:
    """A launch that measures no vCPU: only the firmware, and kernel hashes if the VMM passes them."""

    kernel_hashes: KernelHashes | None


@dataclass(frozen=True, slots=True)
class VcpuPoint:
    """A launch that measures a VMSA for each vCPU.

    vcpu_signature: None if and only if the profile does not measure it.
    sev_features: u64 as in the VMSA at 0x3B0.
    vcpus: 1 to 4096.

    Raises UsageError for other values.
    """

    kernel_hashes: KernelHashes | None
    vmm: VmmProfile
    vcpu_signature: VcpuSignature | None
    sev_features: int
    vcpus: int

    def __post_init__(self) -> None:
        check_vcpus(self.vcpus)
        if not 0 <= self.sev_features < 1 << 64:
            raise UsageError(f"sev_features {self.sev_features:#x} is not a 64-bit number")
        if self.vmm.measures_signature and self.vcpu_signature is None:
            raise UsageError(
                f"{self.vmm.name} measures the vCPU signature, and none is given",
                "give --vcpu-type NAME, --vcpu-signature NUMBER, or family, model and stepping",
            )
        if not self.vmm.measures_signature and self.vcpu_signature is not None:
            raise UsageError(f"{self.vmm.name} does not measure the vCPU signature, so none can be given")


@dataclass(frozen=True, slots=True)
class VmmPoint:
    """A launch whose digest depends on the VMM, and on no vCPU. kernel_hashes: None, as none are measured."""

    kernel_hashes: KernelHashes | None
    vmm: VmmProfile


Point = FirmwarePoint | VcpuPoint | VmmPoint


def check_vcpus(vcpus: int) -> None:
    """Raises UsageError unless a guest can have that many vCPUs."""
    if not 1 <= vcpus <= MAX_VCPUS:
        raise UsageError(f"a guest cannot have {vcpus} vCPUs", f"give a number from 1 to {MAX_VCPUS}")
