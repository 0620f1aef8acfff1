"""Technology: a fold over launch updates; and `measure`, which folds every one.

`measure` is the definition. `Measurer` gives the same digests while sharing every common prefix with the
point before: the firmware, the metadata, the kernel hashes, and all vCPUs but the last.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, Protocol

from catalog.abi.digest import LaunchDigest
from catalog.errors import CannotLaunch, UnknownName
from catalog.firmware.component import FirmwareComponent
from catalog.launch.chain import Digests, VcpuChain
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.point import Point, VcpuPoint
from catalog.launch.update import LaunchUpdate, UpdateRun


class Technology(Protocol):
    """A confidential-VM technology. Its state is its own: whatever it folds launch updates into.

    digest_is_state: whether that is the launch digest itself, so that whoever has one can fold on. judged_features:
    the bits of sev_features that `launch_blocker` looks at.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    digest_size: ClassVar[int]
    point_type: ClassVar[type[Any]]
    default_sev_features: ClassVar[int | None]
    digest_is_state: ClassVar[bool]
    judged_features: ClassVar[int]

    def baseline(self, firmware: FirmwareComponent) -> Any:
        """The state after the firmware, taken from the component's facts."""

    def update_runs(self, firmware: FirmwareComponent, point: Any) -> Iterator[UpdateRun]:
        """Every launch update after the firmware, in launch order."""

    def extend(self, state: Any, update: LaunchUpdate) -> Any:
        """The state after one more launch update."""

    def finish(self, state: Any) -> LaunchDigest:
        """The launch digest of a state."""

    def fold_chains(self, chains: Sequence[VcpuChain], counts: Sequence[int], backend: HashBackend) -> list[Digests]:
        """For each chain its digests after each count of vCPUs, one after the other; the backend changes no byte."""

    def launch_blocker(self, firmware: FirmwareComponent, point: Any) -> str | None:
        """Why this configuration cannot launch, or None.

        Neither the vCPU count nor the signature decides, nor which kernel hashes table it is where there is one.
        """

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:
        """Why this firmware cannot launch whatever the configuration, or None."""


def measure(technology: Technology, firmware: FirmwareComponent, point: Point) -> LaunchDigest:
    """The launch digest of one configuration; raises CannotLaunch with the reason where there is none."""
    if reason := technology.launch_blocker(firmware, point):
        raise CannotLaunch(f"{technology.name} cannot launch this: {reason}")
    state = technology.baseline(firmware)
    for run in technology.update_runs(firmware, point):
        for update in run.updates * run.repeat:
            state = technology.extend(state, update)
    return technology.finish(state)


class Measurer:
    """Measures points of one firmware one after the other, in any order."""

    def __init__(self, technology: Technology, firmware: FirmwareComponent) -> None:
        self.technology = technology
        self.firmware = firmware
        self._baseline = technology.baseline(firmware)
        self._trail: list[tuple[UpdateRun, Any]] = []

    def measure(self, point: Point) -> LaunchDigest:
        """As the function `measure`; raises CannotLaunch likewise."""
        return self.technology.finish(self._fold(self._update_runs(point)))

    def chain(self, point: VcpuPoint) -> VcpuChain:
        """What `fold_chains` takes for this point, whatever its vCPU count; raises as `measure`."""
        *before, bsp, ap = self._update_runs(replace(point, vcpus=2))
        return VcpuChain(self._fold(before), *bsp.updates, *ap.updates)

    def _update_runs(self, point: Point) -> list[UpdateRun]:
        if reason := self.technology.launch_blocker(self.firmware, point):
            raise CannotLaunch(f"{self.technology.name} cannot launch this: {reason}")
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


def measure_all(
    technology: Technology, firmware: FirmwareComponent, points: Iterable[Point]
) -> Iterator[tuple[Point, LaunchDigest]]:
    """Each point with its digest, in the order given: fastest where neighbours share a long prefix."""
    measurer = Measurer(technology, firmware)
    for point in points:
        yield point, measurer.measure(point)


@cache
def technologies() -> Mapping[str, Technology]:
    """Every technology by name: each module of the folder technologies/ that defines TECHNOLOGY."""
    from catalog.launch import technologies as folder

    modules = (import_module(f"{folder.__name__}.{info.name}") for info in pkgutil.iter_modules(folder.__path__))
    found: list[Technology] = [module.TECHNOLOGY for module in modules]
    return {technology.name: technology for technology in sorted(found, key=lambda t: t.name)}


def technology_named(name: str) -> Technology:
    """The technology of that name; raises UnknownName."""
    if name not in technologies():
        raise UnknownName("technology", name, technologies())
    return technologies()[name]
