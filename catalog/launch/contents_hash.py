"""SHA-256 over the contents of launch updates: the fold that SEV and SEV-ES share."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.abi.digest import SEV_DIGEST_SIZE, LaunchDigest
from catalog.abi.kernel_hashes import TABLE_SIZE, KernelHashes
from catalog.abi.page_info import PageType
from catalog.abi.sha256 import Sha256State
from catalog.firmware.component import FirmwareComponent
from catalog.launch.update import LaunchUpdate, Segment


class ContentsHash:
    """No address, page type or padding enters it. Source: AMD SEV API (55766), LAUNCH_UPDATE_DATA."""

    digest_size = SEV_DIGEST_SIZE

    def baseline(self, firmware: FirmwareComponent) -> Sha256State:
        """The state after the image."""
        return firmware.sha256_state

    def extend(self, state: Sha256State, update: LaunchUpdate) -> Sha256State:
        """The state after one more launch update."""
        return state.update(update.data)

    def finish(self, state: Sha256State) -> LaunchDigest:
        """The launch digest of a state."""
        return LaunchDigest(state.digest())

    def table_segments(self, firmware: FirmwareComponent, hashes: KernelHashes | None) -> Iterator[Segment]:
        """The 176 bytes of the kernel hashes table, where there are any: not the area, not its page."""
        if hashes and firmware.hashes_area:
            update = LaunchUpdate(PageType.NORMAL, firmware.hashes_area.gpa, TABLE_SIZE, hashes.table())
            yield Segment((update,))
