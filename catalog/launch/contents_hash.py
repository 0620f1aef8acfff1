"""SHA-256 over the contents of launch updates, for SEV and SEV-ES."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import itemgetter

from catalog.abi.digest import SEV_DIGEST_SIZE, LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.kernel_table import TABLE_SIZE
from catalog.abi.page_info import PageType
from catalog.abi.sha256 import Sha256State
from catalog.firmware.component import FirmwareComponent
from catalog.launch.chain import Digests, VcpuChain, fold_chain
from catalog.launch.hashing.backends import PYTHON, HashBackend
from catalog.launch.hashing.compiled import sha256_chains
from catalog.launch.kernel_hashes_area import NOT_COMPUTABLE
from catalog.launch.technology import Technology
from catalog.launch.update import LaunchUpdate, UpdateRun


class ContentsHash(Technology):
    """A technology that hashes contents only: no address, page type or padding.

    Source: AMD SEV API (55766), LAUNCH_UPDATE_DATA.
    """

    digest_size = SEV_DIGEST_SIZE
    takes_kernel_hashes = True

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:
        if firmware.sha256_midstate is None:
            return f"{NOT_COMPUTABLE}: the SHA-256 state after the image is not known, only what SEV-SNP needs"
        return None

    def baseline(self, firmware: FirmwareComponent) -> Sha256State:
        return firmware.sha256_state

    def extend(self, state: Sha256State, update: LaunchUpdate) -> Sha256State:
        return state.update(update.data)

    def finish(self, state: Sha256State) -> LaunchDigest:
        return LaunchDigest(state.digest())

    def fold_chains(self, chains: Sequence[VcpuChain], counts: Sequence[int], backend: HashBackend) -> list[Digests]:
        """As `fold_chain` of each chain; chains that share most are hashed side by side."""
        if backend.sha256 == PYTHON:
            return [fold_chain(self, chain, counts) for chain in chains]
        alike: dict[tuple[int, bytes, bytes], list[int]] = defaultdict(list)
        for number, chain in enumerate(chains):
            alike[len(chain.state.carried), chain.bsp.data, chain.ap.data].append(number)
        order = [number for key in sorted(alike, key=itemgetter(0)) for number in alike[key]]
        states = [chains[number].state for number in order]
        bsp, ap = [chains[number].bsp.data for number in order], [chains[number].ap.data for number in order]
        digests, size = sha256_chains(backend.sha256, states, bsp, ap, counts), self.digest_size * len(counts)
        made: list[Digests] = [b""] * len(chains)
        for at, number in enumerate(order):
            made[number] = digests[at * size : (at + 1) * size]
        return made

    def table_runs(self, firmware: FirmwareComponent, hashes: KernelHashes | None) -> Iterator[UpdateRun]:
        """The 176 bytes of the kernel hashes table, if there is one; not its whole area or page."""
        if hashes and firmware.hashes_area:
            update = LaunchUpdate(PageType.NORMAL, firmware.hashes_area.gpa, TABLE_SIZE, hashes.table())
            yield UpdateRun((update,))
