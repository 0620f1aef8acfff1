"""IgvmLaunch: an IGVM file under one loader and technology: why it cannot be launched, or its launch digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.page_info import PAGE_SIZE, PageType, fold
from catalog.abi.sha256 import Sha256State
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP
from catalog.errors import MalformedRecord
from catalog.firmware.igvm.igvm_component import (
    MAX_AFTER,
    IgvmComponent,
    IgvmContext,
    IgvmPlatform,
    KernelPage,
    NoKernelPage,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType
from catalog.launch.chain import VcpuChain
from catalog.launch.igvm.kernel_pages import after_kernel_page, hashes_page
from catalog.launch.igvm.launched_contexts import contexts_blocker, features_of, merged_page
from catalog.launch.igvm_rules import IgvmRules
from catalog.launch.kernel_hashes_area import NOT_COMPUTABLE
from catalog.launch.point import MAX_VCPUS
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.launch.update import LaunchUpdate
from catalog.values import IntEnum

_NO_KERNEL_PAGE = {
    NoKernelPage.PARAMETERS: "the file inserts a parameter area where the kernel hashes go",
    NoKernelPage.VMSA: "the file has a VMSA where the kernel hashes go",
    NoKernelPage.CPUID: "the file has a CPUID page where the kernel hashes go",
    NoKernelPage.LATER_PAGES: f"{NOT_COMPUTABLE}: more than {MAX_AFTER:,} pages follow the kernel hashes page",
}


@dataclass(frozen=True, slots=True)
class IgvmLaunch:
    """An IGVM file that a VMM launches under a technology.

    vmm: a profile; one without a table [igvm] launches nothing.
    kernel_hashes: what the VMM passes; None if it passes none.
    measures_vcpus: whether the digest depends on the number of vCPUs.
    """

    image: IgvmComponent
    technology: str
    vmm: VmmProfile
    kernel_hashes: KernelHashes | None = None

    @property
    def rules(self) -> IgvmRules:
        """The rules of the VMM; raises MalformedRecord if it launches firmware images."""
        if self.vmm.igvm is None:
            raise MalformedRecord(self._not_a_loader)
        return self.vmm.igvm

    @property
    def platform(self) -> IgvmPlatform:
        """What the file has for this technology; raises MalformedRecord if it has nothing."""
        if self.technology not in self.image.platforms:
            raise MalformedRecord(self._no_platform)
        return self.image.platforms[self.technology]

    @property
    def measures_vcpus(self) -> bool:
        return self.rules.resets_other_vcpus and self.technology != "sev"

    @property
    def measures_signature(self) -> bool:
        return self.measures_vcpus and self.vmm.measures_signature

    @property
    def blocker(self) -> str | None:
        """Why the file cannot be launched with any number of vCPUs, or None."""
        if not self.vmm.igvm:
            return self._not_a_loader
        if self.technology not in self.vmm.technologies:
            return f"{self.vmm.name} does not launch {self.technology}"
        if self.technology not in self.image.platforms:
            return self._no_platform
        if not self.platform.headers & {HeaderType.PAGE_DATA, HeaderType.PARAMETER_INSERT, HeaderType.VP_CONTEXT}:
            return f"the file has no page for {self.technology}"
        if self.vcpus_of_contexts > MAX_VCPUS:
            return f"the file has a context for vCPU {self.vcpus_of_contexts - 1}, beyond the {MAX_VCPUS:,} of a guest"
        headers = self.platform.headers if self.rules.filters_platform else self.image.headers
        if unknown := headers - self.rules.headers:
            return f"{self.vmm.name} does not know headers of type {_names(unknown)}"
        if self.image.ignored and not self.rules.ignores_unknown:
            return f"{self.vmm.name} refuses headers of unknown types, also if they say that they may be ignored"
        known = self.rules.data_types if self.technology == "sev-snp" else {PageDataType.NORMAL}
        if unknown_types := self.platform.data_types - known:
            return f"{self.vmm.name} does not know pages of type {_names(unknown_types)} under {self.technology}"
        if self.platform.overlaps and self.technology in self.rules.overlaps_refused:
            return f"{self.vmm.name} refuses pages at an address that has another page"
        if self.rules.of_pages not in self.platform.states:
            return self._record_is_older
        return self._kernel_blocker() or contexts_blocker(
            self.rules, self.vmm.name, self.technology, self.platform.contexts
        )

    def vcpus_blocker(self, vcpus: int) -> str | None:
        """Why the file cannot be launched with this number of vCPUs, or None."""
        if self.measures_vcpus and self.vcpus_of_contexts > vcpus:
            return f"the file has a context for vCPU {self.vcpus_of_contexts - 1}, and the guest has fewer vCPUs"
        return None

    def point_blocker(self, vcpus: int | None, signature: VcpuSignature | None) -> str | None:
        """Why no launch has this number of vCPUs and this vCPU signature, or None. None: not measured."""
        if (vcpus is not None) != self.measures_vcpus:
            return f"{self.vmm.name} {'measures' if vcpus is None else 'does not measure'} the number of vCPUs"
        if reason := self.vcpus_blocker(vcpus or 0):
            return reason
        if (signature is not None) != self.uses_signature(vcpus or 0):
            verb = "measures" if signature is None else "does not measure"
            return f"{self.vmm.name} {verb} the vCPU signature of this launch"
        return None

    def uses_signature(self, vcpus: int) -> bool:
        """Whether the digest with so many vCPUs depends on the vCPU signature: one has no context in the file."""
        return self.measures_signature and vcpus > len(self.platform.contexts)

    def digest(self, vcpus: int | None, signature: VcpuSignature | None) -> LaunchDigest:
        """The launch digest of what no blocker refuses."""
        technology, state = technology_named(self.technology), self.baseline
        for update in self.vmsa_updates(vcpus or 0, signature):
            state = technology.extend(state, update)
        return technology.finish(state)

    @property
    def vcpus_before(self) -> int:
        """vCPUs in the state of `chain`."""
        return self.vcpus_of_contexts - 1

    def chain(self, signature: VcpuSignature | None) -> VcpuChain:
        """The launch after the VMSAs of all contexts but the last; each step adds a vCPU. For `measures_vcpus` alone.

        signature: None if only the first step is asked for, which depends on none.
        """
        technology, state = technology_named(self.technology), self.baseline
        *before, last, reset = self.vmsa_updates(self.vcpus_of_contexts + 1, signature)
        for update in before:
            state = technology.extend(state, update)
        return VcpuChain(state, last, reset)

    def vmsa_hashes(self, vcpus: int | None, signature: VcpuSignature | None) -> tuple[bytes | None, bytes | None]:
        """SHA-256 of the VMSA page of the BSP and of every AP; None if there is none, or if those of APs may differ."""
        if self.technology == "sev":
            return None, None
        pages = {one.vcpu: self._page(one) for one in self.platform.contexts}
        if self.measures_vcpus:
            reset = self._reset_page(signature)
            bsp, of_aps = pages.get(0, reset), {reset} if self.vcpus_of_contexts == 1 and vcpus != 1 else set()
        else:
            bsp, of_aps = pages.get(0, b""), {page for vcpu, page in pages.items() if vcpu}
        ap = of_aps.pop() if len(of_aps) == 1 else b""
        return _sha256(bsp), _sha256(ap)

    @property
    def baseline(self) -> Any:
        """The state of the technology after all pages: SNP launch digest, or Sha256State."""
        state, gpa = self.platform.states[self.rules.of_pages], self.rules.kernel_hashes_gpa
        if self.kernel_hashes and gpa is not None:
            page = self.platform.kernel_pages.get(self.rules.of_kernel_page)
            if isinstance(page, KernelPage):
                return after_kernel_page(page, gpa, self.kernel_hashes)
            return fold(state.digest, hashes_page(gpa, self.kernel_hashes))
        return state.digest if self.technology == "sev-snp" else Sha256State(state.digest, b"", state.hashed)

    def vmsa_updates(self, vcpus: int, signature: VcpuSignature | None) -> Iterator[LaunchUpdate]:
        """The VMSAs that are launched after all pages, by vCPU. signature: None if the digest does not depend on it."""
        gpa, contexts = self.rules.vmsa_gpa, {one.vcpu: one for one in self.platform.contexts}
        if gpa is None:
            return
        for vcpu in range(vcpus) if self.measures_vcpus else sorted(contexts):
            page = self._page(contexts[vcpu]) if vcpu in contexts else self._reset_page(signature)
            yield LaunchUpdate(PageType.VMSA, gpa, PAGE_SIZE, page)

    @property
    def vcpus_of_contexts(self) -> int:
        """The number of vCPUs for which the file has contexts, at least one."""
        contexts = self.platform.contexts  # by vCPU
        return contexts[-1].vcpu + 1 if contexts else 1

    @property
    def needs_signature(self) -> bool:
        """Whether the digest with `vcpus_of_contexts` vCPUs depends on the vCPU signature."""
        return self.uses_signature(self.vcpus_of_contexts)

    @property
    def sev_features(self) -> int:
        """Those that the VMM gives to KVM, which sets bit 0 itself under SNP: of the context of vCPU 0."""
        return features_of(self.platform.contexts, self.technology)

    def _reset_page(self, signature: VcpuSignature | None) -> bytes:
        return self.vmm.vmsa_page(RESET_EIP, signature or VcpuSignature(0), self.sev_features, bsp=True)

    def _page(self, context: IgvmContext) -> bytes:
        """The VMSA that is launched for a context."""
        if self.rules.vmsa_fields is None or self.rules.refuses_other_fields:
            return context.page
        return merged_page(self.rules, context.page, self._reset_page(None))

    def _kernel_blocker(self) -> str | None:
        """Why the kernel hashes cannot be measured; None if they can, or if there are none."""
        if self.kernel_hashes is None:
            return None
        if self.rules.kernel_hashes_gpa is None:
            return f"{self.vmm.name} passes no kernel hashes with an IGVM file"
        page = self.platform.kernel_pages.get(self.rules.of_kernel_page)
        if page is None:
            return self._record_is_older
        return _NO_KERNEL_PAGE.get(page) if isinstance(page, NoKernelPage) else None

    @property
    def _not_a_loader(self) -> str:
        return f"{self.vmm.name} launches firmware images, and this is an IGVM file"

    @property
    def _no_platform(self) -> str:
        declared = ", ".join(one.name for one in self.image.declared)
        return f"the file has no platform for {self.technology}, only {declared}"

    @property
    def _record_is_older(self) -> str:
        return f"{NOT_COMPUTABLE}: the record of the file is older than the rules of {self.vmm.name}"


def _sha256(page: bytes) -> bytes | None:
    """None without a page."""
    return hashlib.sha256(page).digest() if page else None


def _names(kinds: Iterable[IntEnum]) -> str:
    return ", ".join(kind.name for kind in sorted(kinds))
