"""SEV: the launch digest is the SHA-256 of all launch updates' contents, without addresses."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.abi.digest import SEV_DIGEST_SIZE, LaunchDigest
from catalog.abi.kernel_hashes import TABLE_SIZE
from catalog.abi.page_info import PageType
from catalog.abi.sha256 import Sha256State
from catalog.firmware.component import FirmwareComponent
from catalog.launch.kernel_hashes_area import refuses_table
from catalog.launch.point import FirmwarePoint
from catalog.launch.update import LaunchUpdate, Segment


class Sev:
    """AMD SEV. Source: AMD SEV API (55766), LAUNCH_UPDATE_DATA; QEMU target/i386/sev.c.

    vCPU count, vCPU model, VMM and policy do not enter the digest.
    """

    name = "sev"
    title = "AMD SEV"
    digest_size = SEV_DIGEST_SIZE
    point_type = FirmwarePoint
    default_sev_features = None

    def baseline(self, firmware: FirmwareComponent) -> Sha256State:
        return firmware.sha256_state

    def segments(self, firmware: FirmwareComponent, point: FirmwarePoint) -> Iterator[Segment]:
        if point.kernel_hashes and firmware.hashes_area:
            table = point.kernel_hashes.table()
            yield Segment((LaunchUpdate(PageType.NORMAL, firmware.hashes_area.gpa, TABLE_SIZE, table),))

    def extend(self, state: Sha256State, update: LaunchUpdate) -> Sha256State:
        return state.update(update.data)

    def finish(self, state: Sha256State) -> LaunchDigest:
        return LaunchDigest(state.digest())

    def refuses_firmware(self, firmware: FirmwareComponent) -> str | None:  # noqa: ARG002 - any image launches
        return None

    def refuses(self, firmware: FirmwareComponent, point: FirmwarePoint) -> str | None:
        return refuses_table(firmware) if point.kernel_hashes else None


TECHNOLOGY = Sev()
