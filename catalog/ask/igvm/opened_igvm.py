"""OpenedIgvm: an IGVM file that was read, and its component for the loaders that are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.launch.igvm.igvm_component import IgvmComponent
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm_rules import IgvmRules
from catalog.launch.technology import technology_named
from catalog.spec import embedded


@dataclass(frozen=True, eq=False)
class OpenedIgvm:
    """An IGVM file. name: as it was given."""

    name: str
    file: IgvmFile

    @cached_property
    def whole(self) -> IgvmComponent:
        """Its component for all known loaders."""
        return IgvmComponent.from_file(self.file, _rules(*embedded.loaders()))

    @lru_cache(maxsize=16)  # noqa: B019 - it lives as long as the command
    def component(self, vmm: str) -> IgvmComponent:
        """Its component for one loader."""
        return IgvmComponent.from_file(self.file, _rules(vmm))

    def launches(self, technology: str) -> list[IgvmLaunch]:
        """Its launches under every loader of a technology."""
        loaders = (vmm for vmm in embedded.loaders().values() if technology in vmm.technologies)
        return [IgvmLaunch(self.whole, technology, vmm) for vmm in loaders]

    def expected_by(self, technology: str) -> list[str]:
        """Names of the loaders whose digest, for as many vCPUs as there are contexts, the ID block has."""
        launches = self.launches(technology)
        return [one.vmm.name for one in launches if digest_of_contexts(one) == one.platform.expected is not None]


def digest_of_contexts(launch: IgvmLaunch) -> bytes | None:
    """The launch digest for as many vCPUs as there are contexts; None if there is none, or if it needs a vCPU type."""
    if launch.blocker or launch.needs_signature:
        return None
    return digest_of(launch, launch.vcpus_of_contexts, None).value


def digest_of(launch: IgvmLaunch, vcpus: int, signature: VcpuSignature | None) -> LaunchDigest:
    """The launch digest of what can be launched. signature: None if it is not measured."""
    technology = technology_named(launch.technology)
    state = launch.baseline
    for update in launch.vmsa_updates(vcpus, signature):
        state = technology.extend(state, update)
    return technology.finish(state)


def _rules(*names: str) -> list[IgvmRules]:
    return [rules for name in names if (rules := embedded.loaders()[name].igvm)]
