"""The end of a SEV-ES or SEV-SNP launch on KVM: one VMSA for each vCPU, BSP first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP
from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.launch.point import VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.update import LaunchUpdate, UpdateRun

_UNMEASURED = VcpuSignature(0)


def reset_vector_blocker(firmware: FirmwareComponent) -> str | None:
    """Why no AP of this build can start, or None. Source: QEMU target/i386/sev.c, sev_es_save_reset_vector."""
    if firmware.reset_vector is None:
        return "the image has no SEV-ES reset block"
    if firmware.reset_vector == 0:
        return "the SEV-ES reset address is zero"
    return None


def vmsa_updates(firmware: FirmwareComponent, point: VcpuPoint, *, gpa: int) -> tuple[LaunchUpdate, LaunchUpdate]:
    """The launch updates of the BSP and of each AP; raises CannotLaunch without a reset vector."""
    if not firmware.reset_vector:
        raise CannotLaunch(reset_vector_blocker(firmware) or "")
    signature = point.vcpu_signature or _UNMEASURED
    bsp = point.vmm.vmsa_update(RESET_EIP, signature, point.sev_features, bsp=True, gpa=gpa)
    return bsp, ap_update(point.vmm, firmware.reset_vector, signature, point.sev_features, gpa=gpa)


def ap_update(
    vmm: VmmProfile, reset_vector: int, signature: VcpuSignature | None, sev_features: int, *, gpa: int
) -> LaunchUpdate:
    """The launch update of each AP. reset_vector: its EIP. signature: None if the profile does not measure it."""
    return vmm.vmsa_update(reset_vector, signature or _UNMEASURED, sev_features, bsp=False, gpa=gpa)


def vmsa_page_hashes(firmware: FirmwareComponent, point: VcpuPoint) -> tuple[bytes, bytes]:
    """SHA-256 of the VMSA pages of the BSP and of each AP, 32 bytes each."""
    bsp, ap = vmsa_updates(firmware, point, gpa=0)
    return hashlib.sha256(bsp.data).digest(), hashlib.sha256(ap.data).digest()


def vmsa_runs(firmware: FirmwareComponent, point: VcpuPoint, *, gpa: int) -> Iterator[UpdateRun]:
    """The BSP, then all APs, whose VMSAs are byte for byte the same."""
    bsp, ap = vmsa_updates(firmware, point, gpa=gpa)
    yield UpdateRun((bsp,))
    if point.vcpus > 1:
        yield UpdateRun((ap,), point.vcpus - 1)
