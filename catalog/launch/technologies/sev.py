"""SEV: the launch digest is the SHA-256 of the image and, where there are any, the kernel hashes."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.firmware.component import FirmwareComponent
from catalog.launch.contents_hash import ContentsHash
from catalog.launch.kernel_hashes_area import kernel_hashes_blocker
from catalog.launch.point import FirmwarePoint
from catalog.launch.update import UpdateRun


class Sev(ContentsHash):
    """AMD SEV. Source: AMD SEV API (55766), LAUNCH_UPDATE_DATA; QEMU target/i386/sev.c.

    vCPU count, vCPU model, VMM and policy do not enter the digest.
    """

    name = "sev"
    title = "AMD SEV"
    point_type = FirmwarePoint
    judged_features = 0
    default_sev_features = None

    def update_runs(self, firmware: FirmwareComponent, point: FirmwarePoint) -> Iterator[UpdateRun]:
        return self.table_runs(firmware, point.kernel_hashes)

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:  # noqa: ARG002 - any image launches
        return None

    def launch_blocker(self, firmware: FirmwareComponent, point: FirmwarePoint) -> str | None:
        return kernel_hashes_blocker(firmware) if point.kernel_hashes else None


TECHNOLOGY = Sev()
