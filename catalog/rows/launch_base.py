"""LaunchBase: a published launch digest that launches with more vCPUs continue; each AP extends it by one VMSA page.

Nothing of the firmware is known or needed: the pages of the APs come last, and all of them are equal (docs/relate.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import SNP_ACTIVE
from catalog.errors import CannotLaunch, UnknownName
from catalog.imports.endorsed_facts import Base
from catalog.launch.chain import VcpuChain, fold_chain
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.launch.update import LaunchUpdate
from catalog.launch.vcpu_types import VcpuTypes
from catalog.launch.vmsa_updates import ap_update


@dataclass(frozen=True, slots=True)
class LaunchBase:
    """A base, with what its names stand for.

    facts: what is known of it.
    vmm: its VMM profile; None if it is not known.
    vcpu_signature: of its vCPUs; None if it is not known, or the profile does not measure it.
    """

    facts: Base
    vmm: VmmProfile | None
    vcpu_signature: VcpuSignature | None

    @classmethod
    def of(cls, facts: Base, profiles: Mapping[str, VmmProfile], types: VcpuTypes) -> LaunchBase:
        """A base with its names resolved; raises UnknownName for a VMM profile or vCPU type that is not known."""
        if facts.vmm is not None and facts.vmm not in profiles:
            raise UnknownName("VMM profile", facts.vmm, profiles)
        vmm = None if facts.vmm is None else profiles[facts.vmm]
        signature = None if facts.vcpu_type is None else types.signature(facts.vcpu_type)
        return cls(facts, vmm, signature if vmm and vmm.measures_signature else None)

    @property
    def blocker(self) -> str | None:
        """Why no launch digest follows from this base, or None."""
        facts, vmm = self.facts, self.vmm
        if not technology_named(facts.technology).digest_is_state:
            return f"a {facts.technology} digest is not a state from which a launch can continue"
        if vmm is None:
            return "the VMM of this base is not known"
        if facts.technology not in vmm.technologies:
            return f"{vmm.name} does not launch {facts.technology}"
        if not facts.reset_vector:
            return "the reset address of the APs of this base is not known"
        if vmm.measures_signature and self.vcpu_signature is None:
            return f"{vmm.name} measures the vCPU signature, which is not known of this base"
        if facts.sev_features is None:
            return "the sev_features of this base are not known"
        if not facts.sev_features & SNP_ACTIVE:
            return f"sev_features {facts.sev_features:#x} lacks bit 0, SNPActive, which the guest runs with"
        return None

    @property
    def chain(self) -> VcpuChain:
        """The launch after the base: each step adds one AP, the first one, too. Raises CannotLaunch."""
        ap = self._ap()
        return VcpuChain(self.facts.digest, ap, ap)

    def digest(self, vcpus: int) -> LaunchDigest:
        """The launch digest with so many vCPUs. Raises CannotLaunch, also for a number that is not above the base's."""
        if vcpus <= self.facts.vcpus:
            raise CannotLaunch(f"no launch with {vcpus} vCPUs follows from a base of {self.facts.vcpus}")
        technology = technology_named(self.facts.technology)
        return LaunchDigest(fold_chain(technology, self.chain, [vcpus - self.facts.vcpus]))

    def ap_page_hash(self) -> bytes:
        """SHA-256 of the VMSA page of each AP. Raises CannotLaunch."""
        return hashlib.sha256(self._ap().data).digest()

    def _ap(self) -> LaunchUpdate:
        facts, vmm = self.facts, self.vmm
        if reason := self.blocker:
            raise CannotLaunch(f"nothing follows from the launch digest {facts.digest.hex()}: {reason}")
        assert vmm, "blocker says so"  # noqa: S101
        assert vmm.snp, "a profile that launches this technology has these rules"  # noqa: S101
        assert facts.reset_vector, "blocker says so"  # noqa: S101
        assert facts.sev_features, "blocker says so"  # noqa: S101
        return ap_update(vmm, facts.reset_vector, self.vcpu_signature, facts.sev_features, gpa=vmm.snp.vmsa_gpa)
