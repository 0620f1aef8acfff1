"""SEV-ES: the launch digest is that of SEV, extended by the contents of one VMSA page for each vCPU."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.abi.vcpu_start import SNP_ACTIVE
from catalog.firmware.component import FirmwareComponent
from catalog.launch.contents_hash import ContentsHash
from catalog.launch.point import VcpuPoint
from catalog.launch.update import UpdateRun
from catalog.launch.vmsa_updates import reset_vector_blocker, vmsa_runs

_NO_GPA = 0  # SEV-ES measures no address


class SevEs(ContentsHash):
    """AMD SEV-ES. Source: AMD SEV API (55766), LAUNCH_UPDATE_VMSA; KVM sev_launch_update_vmsa."""

    name = "sev-es"
    title = "AMD SEV-ES"
    point_type = VcpuPoint
    usual_sev_features = (0x20,)  # DebugSwap, the only one that KVM allows
    judged_features = SNP_ACTIVE

    def update_runs(self, firmware: FirmwareComponent, point: VcpuPoint) -> Iterator[UpdateRun]:
        yield from self.table_runs(firmware, point.kernel_hashes)
        yield from vmsa_runs(firmware, point, gpa=_NO_GPA)

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:
        return super().firmware_blocker(firmware) or reset_vector_blocker(firmware)

    def launch_blocker(self, firmware: FirmwareComponent, point: VcpuPoint) -> str | None:
        if reason := self.firmware_blocker(firmware) or self.vmm_blocker(point):
            return reason
        if point.sev_features & SNP_ACTIVE:
            return f"sev_features {point.sev_features:#x} has bit 0, SNPActive, which is for sev-snp"
        return self.kernel_hashes_blocker(firmware, point)


TECHNOLOGY = SevEs()
