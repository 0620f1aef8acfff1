"""Stages: the order in which a search tries its candidates, and how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

from catalog.explain.search_space import AXES, USUAL_MISTAKES, Axis, SearchSpace, Stage, measured_axes
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint, VmmPoint
from catalog.launch.technology import Technology, technology_named


def stages(space: SearchSpace, most: int) -> list[Stage]:
    """The stages of a search, in order: those with the fewest axes first, and of these the likeliest.

    most: limit for the axes of a stage. Left out are axes without far values, and stages in which no technology
    measures all axes. The usual mistakes are tried as soon as they are fewer than all that differs on one more axis.
    With 0 axes they are left out, too.
    """
    able = [name for name in AXES if getattr(space, name).far]
    counter = CandidateCounter(space)
    usual = counter.count(USUAL_MISTAKES) if most and _has_usual_mistakes(space) else 0
    found: list[Stage] = []
    for count in range(most + 1):
        some = [Stage(axes) for axes in combinations(able, count) if _is_measured(space, axes)]
        if count and usual and usual < sum(map(counter.count, some)):
            found.append(USUAL_MISTAKES)
            usual = 0
        found += some
    return [*found, USUAL_MISTAKES] if usual else found


def _has_usual_mistakes(space: SearchSpace) -> bool:
    axes: list[Axis[Any]] = [getattr(space, name) for name in AXES]
    return any(choice not in axis.near for axis in axes for choice in axis.usual)


def _is_measured(space: SearchSpace, axes: tuple[str, ...]) -> bool:
    technologies = space.technology.far if "technology" in axes else space.technology.near
    return not technologies or any(set(axes) <= measured_axes(choice.value) for choice in technologies)


@dataclass(slots=True)
class CandidateCounter:
    """Counts the candidates of stages: those that can launch."""

    space: SearchSpace
    _blocked: dict[tuple[object, ...], bool] = field(default_factory=dict)

    def count(self, stage: Stage) -> int:
        """How many candidates a stage has."""
        total = 0
        for choice in self.space.choices("technology", stage):
            technology = technology_named(choice.value)
            if technology.measures_vcpus:
                total += self._with_vcpus(stage, technology)
            elif not set(stage.axes) <= measured_axes(choice.value):
                continue
            elif technology.measures_vmm:
                for vmm in self.space.choices("vmm", stage):
                    total += self._launches(stage, technology, partial(VmmPoint, vmm=vmm.value), vmm.value.name)
            else:
                total += self._launches(stage, technology, FirmwarePoint)
        return total

    def _with_vcpus(self, stage: Stage, technology: Technology) -> int:
        features = self.space.choices("sev_features", stage)
        total = 0
        for vmm in self.space.choices("vmm", stage):
            signatures = self.space.signatures(stage, vmm.value)
            if signatures and features:
                some = signatures[0].value if signatures[0] else None
                bits = features[0].value | technology.default_sev_features
                point = partial(VcpuPoint, vmm=vmm.value, vcpu_signature=some, sev_features=bits, vcpus=2)
                total += self._launches(stage, technology, point, vmm.value.name) * len(signatures)
        return total * len(features) * len(self.space.choices("vcpus", stage))

    def _launches(self, stage: Stage, technology: Technology, point: Callable[..., Point], vmm: str = "") -> int:
        """Pairs of firmware and kernel hashes that can launch: no blocker depends on what is hashed."""
        tables = [choice.value for choice in self.space.kernels(stage, technology)]
        kinds = {table is None: table for table in tables}
        of_kind = Counter(table is None for table in tables)
        total = 0
        for firmware in self.space.choices("firmware", stage):
            component = firmware.value.component
            for without, table in kinds.items():
                key = (technology.name, component.key, vmm, without)
                if key not in self._blocked:
                    blocker = technology.launch_blocker(component, point(kernel_hashes=table))
                    self._blocked[key] = blocker is not None
                if not self._blocked[key]:
                    total += of_kind[without]
        return total
