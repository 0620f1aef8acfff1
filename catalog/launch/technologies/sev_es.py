"""SEV-ES: as SEV, and then the contents of one VMSA page for each vCPU."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.firmware.component import FirmwareComponent
from catalog.launch.contents_hash import ContentsHash
from catalog.launch.kernel_hashes_area import refuses_table
from catalog.launch.point import VcpuPoint
from catalog.launch.update import Segment
from catalog.launch.vmsa_segments import SNP_ACTIVE, refuses_reset_vector, vmsa_segments

_NO_GPA = 0  # SEV-ES measures no address


class SevEs(ContentsHash):
    """AMD SEV-ES. Source: AMD SEV API (55766), LAUNCH_UPDATE_VMSA; KVM sev_launch_update_vmsa."""

    name = "sev-es"
    title = "AMD SEV-ES"
    point_type = VcpuPoint
    judged_features = SNP_ACTIVE
    default_sev_features = 0

    def segments(self, firmware: FirmwareComponent, point: VcpuPoint) -> Iterator[Segment]:
        yield from self.table_segments(firmware, point.kernel_hashes)
        yield from vmsa_segments(firmware, point, gpa=_NO_GPA)

    def refuses_firmware(self, firmware: FirmwareComponent) -> str | None:
        return refuses_reset_vector(firmware)

    def refuses(self, firmware: FirmwareComponent, point: VcpuPoint) -> str | None:
        if reason := refuses_reset_vector(firmware):
            return reason
        if self.name not in point.vmm.technologies:
            return f"{point.vmm.name} does not launch {self.name}"
        if point.sev_features & SNP_ACTIVE:
            return f"sev_features {point.sev_features:#x} has bit 0, SNPActive, which is for sev-snp"
        return refuses_table(firmware) if point.kernel_hashes else None


TECHNOLOGY = SevEs()
