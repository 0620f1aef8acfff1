"""SEV: the launch digest is the SHA-256 of the image and, if there is one, the kernel hashes table."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.firmware.component import FirmwareComponent
from catalog.launch.contents_hash import ContentsHash
from catalog.launch.point import FirmwarePoint
from catalog.launch.update import UpdateRun


class Sev(ContentsHash):
    """AMD SEV. Source: AMD SEV API (55766), LAUNCH_UPDATE_DATA; QEMU target/i386/sev.c.

    The digest does not depend on vCPU count, vCPU model, VMM or policy.
    """

    name = "sev"
    title = "AMD SEV"

    def update_runs(self, firmware: FirmwareComponent, point: FirmwarePoint) -> Iterator[UpdateRun]:
        return self.table_runs(firmware, point.kernel_hashes)


TECHNOLOGY = Sev()
