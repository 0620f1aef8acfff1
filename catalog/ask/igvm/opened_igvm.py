"""OpenedIgvm: an IGVM file that was read, and its component for the loaders that are asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.launch.technology import technology_named
from catalog.spec import embedded
from catalog.spec.igvm_files import component_of, read_igvm
from catalog.spec.named_builds import find_build


@dataclass(frozen=True, eq=False)
class OpenedIgvm:
    """An IGVM file.

    name: as it was given, or of its build. file: None if there is only the record of a build, which is then `record`.
    """

    name: str
    file: IgvmFile | None
    record: FirmwareBuild | None = None

    @classmethod
    def of(cls, reference: str, builds: Mapping[str, FirmwareBuild]) -> OpenedIgvm | None:
        """An IGVM file by path, as `read_igvm`; or a build by name, SHA-256 or record. None if it is none of these.

        Raises the errors of `read_igvm` and `find_build`.
        """
        is_hash = any(build.component.key.hex() == reference.lower() for build in builds.values())
        if is_hash or reference in builds or reference.endswith(".toml"):
            build = find_build(reference, builds)
            return cls(build.name, None, build) if build.is_igvm else None
        file = read_igvm(reference)
        return cls(reference, file) if file else None

    @cached_property
    def whole(self) -> IgvmComponent:
        """Its component for all known loaders, or for those that its record knows."""
        return self._recorded or component_of(self._file)

    @property
    def build(self) -> FirmwareBuild:
        """The build: that of the record, or one of which nothing is recorded."""
        return self.record or FirmwareBuild(self.name, self.whole, None, {})

    @property
    def _recorded(self) -> IgvmComponent | None:
        component = self.record and self.record.component
        return component if isinstance(component, IgvmComponent) else None

    @property
    def _file(self) -> IgvmFile:
        assert self.file is not None, "one of file and component is known"  # noqa: S101
        return self.file

    @lru_cache(maxsize=16)  # noqa: B019 - it lives as long as the command
    def component(self, vmm: str, technology: str) -> IgvmComponent:
        """Its component for one loader and technology."""
        if self._recorded:
            return self._recorded
        profile = embedded.loaders()[vmm]
        some = {technology} & {*profile.technologies}
        return reduce_igvm(self._file, [(profile.igvm, some)] if profile.igvm else [])

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
    return digests_of(launch, [launch.vcpus_of_contexts], None)[launch.vcpus_of_contexts].value


def digests_of(
    launch: IgvmLaunch, counts: Sequence[int], signature: VcpuSignature | None
) -> Mapping[int, LaunchDigest]:
    """The launch digest of what can be launched, by number of vCPUs. signature: None if it is not measured."""
    technology, found, done = technology_named(launch.technology), {}, 0
    state, most, wanted = launch.baseline, max(counts), {*counts}
    if not launch.measures_vcpus:
        for update in launch.vmsa_updates(most, signature):
            state = technology.extend(state, update)
        return dict.fromkeys(counts, technology.finish(state))
    for update in launch.vmsa_updates(most, signature):
        state, done = technology.extend(state, update), done + 1
        if done in wanted:
            found[done] = technology.finish(state)
    return found
