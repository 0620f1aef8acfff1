"""Technology: a fold over launch updates; and `measure`, which folds all updates of a launch.

`measure` is the definition of a launch digest. `Measurer` gives the same digests, but reuses the state of every prefix
that a point shares with the one before: the firmware, the metadata, the kernel hashes, and all vCPUs but the last.
"""

from __future__ import annotations

import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache, cached_property
from importlib import import_module
from typing import Any, ClassVar

from catalog.abi.digest import LaunchDigest
from catalog.errors import CannotLaunch, UnknownName
from catalog.firmware.component import FirmwareComponent
from catalog.launch.chain import Digests, VcpuChain, fold_chain
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.kernel_hashes_area import NOT_COMPUTABLE, hashes_area_blocker
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint, VmmPoint
from catalog.launch.update import LaunchUpdate, UpdateRun

_NAME = re.compile("[a-z0-9-]{1,32}")


class Technology(ABC):
    """A confidential-VM technology: how a firmware image and launch updates are folded into a launch digest.

    A subclass sets name, title and digest size, and defines `baseline` and `finish`; everything else has a default for
    a technology that measures the firmware only. The type of its state is its own choice. docs/launch-digests.md
    describes the existing technologies.
    """

    name: ClassVar[str]
    """Its name in specs, rows and folders: lower-case letters, digits and hyphens."""
    title: ClassVar[str]
    """Its name for people."""
    digest_size: ClassVar[int]
    """Bytes of a launch digest: 32 or 48."""

    point_type: ClassVar[type[Any]] = FirmwarePoint
    """VcpuPoint if a VMSA for each vCPU is measured; VmmPoint if the digest depends on the VMM and on no vCPU."""
    takes_kernel_hashes: ClassVar[bool] = False
    """Whether the digest covers a kernel hashes table that the VMM passes."""
    measures_addresses: ClassVar[bool] = False
    """Whether address and page type of a launch update are measured, and not only its contents."""
    digest_is_state: ClassVar[bool] = False
    """Whether the state is the launch digest itself, so that a chain can be continued from any digest."""
    default_sev_features: ClassVar[int] = 0
    """SEV_FEATURES of a VMSA by default."""
    usual_sev_features: ClassVar[tuple[int, ...]] = ()
    """Bits of SEV_FEATURES that are used in practice beside the default, one bit for each number."""
    judged_features: ClassVar[int] = 0
    """The bits of SEV_FEATURES on which `launch_blocker` depends."""
    keeps_components: ClassVar[bool] = False
    """Whether what no other technology needs of components is in the technology's own folder of a catalog.

    So a version of ldcat that does not know it reads the rest of the catalog (decision 78).
    """

    @abstractmethod
    def baseline(self, firmware: FirmwareComponent) -> Any:
        """The state after the firmware image, from the component."""

    def state_of(self, firmware: FirmwareComponent, point: Any) -> Any:  # noqa: ARG002
        """The state before all launch updates of a configuration: the baseline, unless it depends on the VMM."""
        return self.baseline(firmware)

    def update_runs(self, firmware: FirmwareComponent, point: Any) -> Iterator[UpdateRun]:  # noqa: ARG002
        """Every launch update after the firmware, in launch order; none by default."""
        return iter(())

    def extend(self, state: Any, update: LaunchUpdate) -> Any:
        """The state after one more launch update; a technology that has `update_runs` defines it."""
        raise NotImplementedError(f"{self.name} does not say how it folds launch updates")

    @abstractmethod
    def finish(self, state: Any) -> LaunchDigest:
        """The launch digest of a state."""

    def fold_chains(self, chains: Sequence[VcpuChain], counts: Sequence[int], backend: HashBackend) -> list[Digests]:  # noqa: ARG002
        """For each chain its digests after each count of vCPUs, one after the other.

        A technology overrides it to hash many chains side by side. The backend does not change the digests.
        """
        return [fold_chain(self, chain, counts) for chain in chains]

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:  # noqa: ARG002
        """Why this firmware cannot launch in any configuration, or None."""
        return None

    def launch_blocker(self, firmware: FirmwareComponent, point: Any) -> str | None:
        """Why this configuration cannot launch, or None.

        It does not depend on vCPU count or signature, nor on the contents of a kernel hashes table.
        """
        return self.firmware_blocker(firmware) or self.vmm_blocker(point) or self.kernel_hashes_blocker(firmware, point)

    def vmm_blocker(self, point: Any) -> str | None:
        """Why the VMM of a configuration does not launch this technology, or None."""
        if isinstance(point, FirmwarePoint):
            return None
        if point.vmm.igvm:
            return f"{point.vmm.name} launches IGVM files, and this is a firmware image"
        return None if self.name in point.vmm.technologies else f"{point.vmm.name} does not launch {self.name}"

    def kernel_hashes_blocker(self, firmware: FirmwareComponent, point: Any) -> str | None:
        """Why the kernel hashes of a configuration cannot be measured; None if they can, or if it has none."""
        if point.kernel_hashes is None:
            return None
        if isinstance(point, VcpuPoint) and point.vmm.snp and not point.vmm.snp.takes_hashes:
            return f"{point.vmm.name} passes no kernel hashes"
        return hashes_area_blocker(firmware) if self.takes_kernel_hashes else f"{self.name} measures no kernel hashes"

    @property
    def measures_vcpus(self) -> bool:
        """Whether the digest covers a VMSA for each vCPU."""
        return self.point_type is VcpuPoint

    @property
    def measures_vmm(self) -> bool:
        """Whether the digest of a firmware image depends on the VMM."""
        return self.point_type is not FirmwarePoint

    @property
    def measured_fields(self) -> frozenset[str]:
        """Names of the fields of its points that the digest depends on."""
        names = frozenset(field.name for field in fields(self.point_type))
        return names if self.takes_kernel_hashes else names - {"kernel_hashes"}


def measure(technology: Technology, firmware: FirmwareComponent, point: Point) -> LaunchDigest:
    """The launch digest of one configuration; raises CannotLaunch with the reason if it cannot launch."""
    if reason := technology.launch_blocker(firmware, point):
        raise refused(technology.name, reason)
    state = technology.state_of(firmware, point)
    for run in technology.update_runs(firmware, point):
        for update in run.updates * run.repeat:
            state = technology.extend(state, update)
    return technology.finish(state)


def refused(technology: str, reason: str, hint: str | None = None) -> CannotLaunch:
    """The error for a reason of `launch_blocker`: the launch is not possible, or its digest is not."""
    said = ": " if reason.startswith(NOT_COMPUTABLE) else " cannot launch this: "
    return CannotLaunch(f"{technology}{said}{reason}", hint)


class Measurer:
    """Measures many points of one firmware, in any order, and reuses prefixes."""

    def __init__(self, technology: Technology, firmware: FirmwareComponent) -> None:
        self.technology = technology
        self.firmware = firmware
        self._trail: list[tuple[UpdateRun, Any]] = []

    @cached_property
    def _baseline(self) -> Any:
        return self.technology.baseline(self.firmware)

    def measure(self, point: Point) -> LaunchDigest:
        """As the function `measure`; raises CannotLaunch."""
        if isinstance(point, VmmPoint):
            return measure(self.technology, self.firmware, point)
        return self.technology.finish(self._fold(self._update_runs(point)))

    def chain(self, point: VcpuPoint) -> VcpuChain:
        """The chain of a point, for `fold_chains`; its vCPU count does not matter. Raises CannotLaunch."""
        *before, bsp, ap = self._update_runs(point if point.vcpus == 2 else replace(point, vcpus=2))
        return VcpuChain(self._fold(before), *bsp.updates, *ap.updates)

    def vmsas(self, point: VcpuPoint) -> tuple[LaunchUpdate, LaunchUpdate]:
        """The updates of BSP and AP in the chain of a point, without its state. Raises CannotLaunch."""
        runs = self._update_runs(point if point.vcpus == 2 else replace(point, vcpus=2))
        (bsp,), (ap,) = (run.updates for run in runs[-2:])
        return bsp, ap

    def _update_runs(self, point: Point) -> list[UpdateRun]:
        if reason := self.technology.launch_blocker(self.firmware, point):
            raise refused(self.technology.name, reason)
        return list(self.technology.update_runs(self.firmware, point))

    def _fold(self, runs: Iterable[UpdateRun]) -> Any:
        trail, extend = self._trail, self.technology.extend
        state, shared = self._baseline, True
        for depth, run in enumerate(runs):
            done = 0
            if shared and depth < len(trail):
                kept, kept_state = trail[depth]
                if kept.updates == run.updates and kept.repeat <= run.repeat:
                    state, done = kept_state, kept.repeat
                shared = kept == run
                if not shared:
                    del trail[depth:]
            for _ in range(run.repeat - done):
                for update in run.updates:
                    state = extend(state, update)
            if depth == len(trail):
                trail.append((run, state))
        return state


@cache
def technologies() -> Mapping[str, Technology]:
    """Every technology by name: the TECHNOLOGY of each module in the folder technologies/. Raises as `by_name`."""
    from catalog.launch import technologies as folder

    names = (info.name for info in pkgutil.iter_modules(folder.__path__) if not info.name.startswith("_"))
    return by_name((name, import_module(f"{folder.__name__}.{name}").TECHNOLOGY) for name in names)


def by_name(modules: Iterable[tuple[str, Technology]]) -> Mapping[str, Technology]:
    """Technologies by name, sorted. modules: the name of the module of each, for errors.

    Raises TypeError if one has an invalid name or digest size, or the name of another one.
    """
    found: dict[str, Technology] = {}
    for module, technology in modules:
        if _NAME.fullmatch(technology.name) is None or technology.digest_size not in (32, 48):
            raise TypeError(f"{module}.py: {technology.name!r}, {technology.digest_size} bytes: not a technology")
        if technology.name in found:
            raise TypeError(f"{module}.py: {technology.name!r} is the name of another technology")
        found[technology.name] = technology
    return dict(sorted(found.items()))


def technologies_of_size(digest_size: int) -> list[str]:
    """Names of the technologies whose launch digests have `digest_size` bytes."""
    return [name for name, technology in technologies().items() if technology.digest_size == digest_size]


def technology_named(name: str) -> Technology:
    """The technology of that name; raises UnknownName."""
    if name not in technologies():
        raise UnknownName("technology", name, technologies())
    return technologies()[name]
