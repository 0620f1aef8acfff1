"""SEV-SNP: a SHA-384 chain over PAGE_INFO of every page: firmware, metadata sections, VMSAs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from catalog.abi.digest import SNP_DIGEST_SIZE, LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.kernel_table import TABLE_SIZE
from catalog.abi.page_info import (
    HAS_CONTENTS,
    PAGE_SIZE,
    PageType,
    contents_digest,
    fold,
    fold_pages,
    page_info_tail,
)
from catalog.abi.vcpu_start import SNP_ACTIVE
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area, Section, SectionType
from catalog.launch.buildigvm import buildigvm_blocker, buildigvm_updates
from catalog.launch.chain import Digests, VcpuChain, fold_chain
from catalog.launch.hashing.backends import PYTHON, HashBackend
from catalog.launch.hashing.compiled import sha384_chains
from catalog.launch.point import VcpuPoint
from catalog.launch.profile import SnpLaunchRules
from catalog.launch.technology import Technology
from catalog.launch.update import LaunchUpdate, UpdateRun
from catalog.launch.vmsa_updates import reset_vector_blocker, vmsa_runs


class SevSnp(Technology):
    """AMD SEV-SNP. Source: SEV-SNP ABI (56860), 8.17; QEMU target/i386/sev.c, snp_populate_metadata_pages."""

    name = "sev-snp"
    title = "AMD SEV-SNP"
    digest_size = SNP_DIGEST_SIZE
    point_type = VcpuPoint
    takes_kernel_hashes = True
    measures_addresses = True
    digest_is_state = True
    default_sev_features = SNP_ACTIVE
    usual_sev_features = (0x20, 0x200, 0x08, 0x10, 0x02)
    """DebugSwap, SecureTSC, restricted and alternate injection, vTOM."""
    judged_features = SNP_ACTIVE

    def baseline(self, firmware: FirmwareComponent) -> bytes:
        return firmware.snp_baseline

    def update_runs(self, firmware: FirmwareComponent, point: VcpuPoint) -> Iterator[UpdateRun]:
        rules = _rules(point)
        if rules.hashes_after_firmware and point.kernel_hashes:
            yield UpdateRun((_hashes_page(firmware, point.kernel_hashes),))
        yield from _section_runs(firmware, rules, point.kernel_hashes)
        yield from vmsa_runs(firmware, point, gpa=rules.vmsa_gpa)

    def extend(self, state: bytes, update: LaunchUpdate) -> bytes:
        if update.size == PAGE_SIZE:
            return fold(state, _one_page(update))
        if update.page_type in HAS_CONTENTS:
            return fold_pages(state, update.page_type, update.gpa, update.data)
        for gpa in range(update.gpa, update.gpa + update.size, PAGE_SIZE):
            state = fold(state, page_info_tail(update.page_type, gpa))
        return state

    def finish(self, state: bytes) -> LaunchDigest:
        return LaunchDigest(state)

    def fold_chains(self, chains: Sequence[VcpuChain], counts: Sequence[int], backend: HashBackend) -> list[Digests]:
        if backend.sha384 == PYTHON:
            return [fold_chain(self, chain, counts) for chain in chains]
        states = [chain.state for chain in chains]
        bsp, ap = [_one_page(chain.bsp) for chain in chains], [_one_page(chain.ap) for chain in chains]
        digests, size = sha384_chains(backend.sha384, states, bsp, ap, counts), self.digest_size * len(counts)
        return [digests[at : at + size] for at in range(0, len(digests), size)]

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:
        return firmware.metadata_fault or reset_vector_blocker(firmware)

    def launch_blocker(self, firmware: FirmwareComponent, point: VcpuPoint) -> str | None:
        if reason := self.firmware_blocker(firmware) or self.vmm_blocker(point):
            return reason
        if not point.sev_features & SNP_ACTIVE:
            return f"sev_features {point.sev_features:#x} lacks bit 0, SNPActive, which the guest runs with"
        rules = _rules(point)
        if rules.sections_of_buildigvm:
            return buildigvm_blocker(firmware) or self.kernel_hashes_blocker(firmware, point)
        for section in firmware.sections:
            if section.kind not in rules.page_types:
                return f"{point.vmm.name} does not know metadata sections of type {section.name}"
        if point.kernel_hashes is None:
            return None
        if reason := self.kernel_hashes_blocker(firmware, point):
            return reason
        if rules.hashes_after_firmware:
            return _own_page_blocker(firmware)
        if not _takes_hashes(firmware):
            return "the SEV metadata has no kernel hashes section, so the kernel would not be measured"
        return None


def _rules(point: VcpuPoint) -> SnpLaunchRules:
    rules = point.vmm.snp
    assert rules is not None, "launch_blocker() names a profile that does not launch sev-snp"  # noqa: S101
    return rules


def _takes_hashes(firmware: FirmwareComponent) -> bool:
    return any(section.kind == SectionType.SNP_KERNEL_HASHES for section in firmware.sections)


def _own_page_blocker(firmware: FirmwareComponent) -> str | None:
    """Why the table cannot be on a page of its own, outside the metadata sections, or None."""
    area = _hashes_area(firmware)
    page = area.gpa - area.gpa % PAGE_SIZE
    if area.gpa + TABLE_SIZE > page + PAGE_SIZE:
        return f"the kernel hashes table at {area.gpa:#x} would not lie in one page"
    for section in firmware.sections:
        if section.gpa < page + PAGE_SIZE and page < section.end:
            return f"the kernel hashes page at {page:#x} is part of metadata section {section}, launched once more"
    return None


def _hashes_page(firmware: FirmwareComponent, hashes: KernelHashes) -> LaunchUpdate:
    gpa = _hashes_area(firmware).gpa
    offset = gpa % PAGE_SIZE
    return LaunchUpdate(PageType.NORMAL, gpa - offset, PAGE_SIZE, hashes.page(offset))


def _hashes_area(firmware: FirmwareComponent) -> Area:
    assert firmware.hashes_area is not None, "launch_blocker() names a build without the area"  # noqa: S101
    return firmware.hashes_area


@lru_cache(maxsize=1024)
def _section_runs(
    firmware: FirmwareComponent, rules: SnpLaunchRules, hashes: KernelHashes | None
) -> tuple[UpdateRun, ...]:
    """The sections in file order; CPUID comes last if the VMM does so. Launches share those before the hashes page."""
    if rules.sections_of_buildigvm:
        return tuple(UpdateRun((update,)) for update in buildigvm_updates(firmware, rules))
    sections = list(firmware.sections)
    if rules.cpuid_last:
        sections.sort(key=lambda section: section.kind == SectionType.CPUID)  # stable
    return tuple(UpdateRun((_section_update(firmware, rules, section, hashes),)) for section in sections)


def _section_update(
    firmware: FirmwareComponent, rules: SnpLaunchRules, section: Section, hashes: KernelHashes | None
) -> LaunchUpdate:
    if section.kind == SectionType.SNP_KERNEL_HASHES and hashes:
        return _hashes_page(firmware, hashes)
    return LaunchUpdate(rules.page_types[section.kind], section.gpa, section.size)


@lru_cache(maxsize=4096)
def _one_page(update: LaunchUpdate) -> bytes:
    """PAGE_INFO of a one-page update without the digest; cached, because VMSA pages repeat."""
    if update.page_type in HAS_CONTENTS:
        return page_info_tail(update.page_type, update.gpa, contents_digest(update.data))
    return page_info_tail(update.page_type, update.gpa)


TECHNOLOGY = SevSnp()
