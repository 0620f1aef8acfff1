"""Divergence: where two launches diverge: the launch updates they share, the first that differs, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.page_info import PAGE_SIZE, PageType
from catalog.ask.vmsa_pages import SaveArea, differences
from catalog.explain.candidate import Candidate
from catalog.explain.search_space import AXES, Axis, SearchSpace, differing_parts, same
from catalog.firmware.build import FirmwareBuild
from catalog.launch.point import Point
from catalog.launch.technology import Technology, technology_named
from catalog.launch.update import LaunchUpdate, UpdateRun


@dataclass(frozen=True, slots=True)
class UpdateLine:
    """One or more equal launch updates.

    what: description, for people.
    gpa: guest-physical address; None if it is not measured.
    times: how many in a row.
    """

    what: str
    gpa: int | None
    times: int

    def text(self) -> str:
        """Number, description and address, for people."""
        times = f"{self.times} times " if self.times > 1 else ""
        return f"{times}{self.what}" + ("" if self.gpa is None else f" at {self.gpa:#x}")

    def to_dict(self) -> dict[str, Any]:
        """An element of the lists of `Divergence.to_dict`."""
        return {"what": self.what, "gpa": self.gpa, "times": self.times}


@dataclass(frozen=True, slots=True)
class Divergence:
    """Two launches of one technology that diverge.

    shared: updates that both begin with.
    expected, found: the updates of each behind these.
    after: updates that both end with; they are equal, but extend different digests.
    reasons: differences in the first update that is not shared, one line each.
    called: what the other launch is: `expected`, or `nearest` if nobody said what is expected.
    """

    technology: str
    shared: Sequence[UpdateLine]
    expected: Sequence[UpdateLine]
    found: Sequence[UpdateLine]
    after: Sequence[UpdateLine]
    reasons: Sequence[str]
    called: str = "expected"

    def to_dict(self) -> dict[str, Any]:
        """The member `parting` in the JSON of `ldcat explain`."""
        return {
            "shared": [stop.to_dict() for stop in self.shared],
            "expected": [stop.to_dict() for stop in self.expected],
            "found": [stop.to_dict() for stop in self.found],
            "after": [stop.to_dict() for stop in self.after],
            "reasons": list(self.reasons),
        }


def find_divergence(space: SearchSpace, found: Candidate, called: str = "expected") -> Divergence | None:
    """Where the candidate that was found diverges from the most similar expected configuration.

    called: as of `Divergence`.

    None if they are equal, if their technologies differ, or if the expected one cannot launch.
    """
    expected = _nearest(space, found)
    if expected is None or expected == found:
        return None
    technology = technology_named(found.technology.value)
    launches = [_Launch(technology, one.firmware.value, one.config().point) for one in (expected, found)]
    if technology.launch_blocker(launches[0].build.image, launches[0].point):
        return None
    return _part(launches[0], launches[1], called)


def _nearest(space: SearchSpace, found: Candidate) -> Candidate | None:
    """The candidate that was found, with an expected value on each axis on which it has none."""
    changed: dict[str, Any] = {}
    for name in AXES:
        axis: Axis[Any] = getattr(space, name)
        choice = found.choice(name)
        if choice is None or any(same(choice.value, near.value) for near in axis.near):
            continue
        if name == "technology" or not axis.near:
            return None
        near = axis.near[0]
        if name == "kernel_hashes":
            near = min(axis.near, key=lambda other: _parts_between(choice.value, other.value))
        changed[name] = near.value if name == "vcpus" else near
    if "vmm" in changed and not changed["vmm"].value.measures_signature:
        changed["vcpu_signature"] = None
    elif "vmm" in changed and found.vcpu_signature is None:
        if not space.vcpu_signature.near:
            return None
        changed["vcpu_signature"] = space.vcpu_signature.near[0]
    return replace(found, **changed)


def _parts_between(one: KernelHashes | None, other: KernelHashes | None) -> int:
    return len(differing_parts(one, other)) if one and other else 4


@dataclass(frozen=True, slots=True)
class _Launch:
    technology: Technology
    build: FirmwareBuild
    point: Point

    def update_runs(self) -> list[UpdateRun]:
        return list(self.technology.update_runs(self.build.image, self.point))

    def stops(self, runs: Sequence[UpdateRun], *, vcpus: int = 0) -> Iterator[UpdateLine]:
        """The lines of update runs. vcpus: number of VMSAs before them."""
        for run in runs:
            for update in run.updates:
                is_vmsa = update.page_type is PageType.VMSA
                what = self._name(update) if not is_vmsa else "VMSA of an AP" if vcpus else "VMSA of the BSP"
                vcpus += run.repeat if is_vmsa else 0
                measured = self.technology.measures_addresses
                yield UpdateLine(what, update.gpa if measured and not is_vmsa else None, run.repeat)

    def _name(self, update: LaunchUpdate) -> str:
        if any(update.data):  # zeros are memory that buildigvm writes
            return "kernel hashes page" if update.size == PAGE_SIZE else "kernel hashes table"
        pages = update.size // PAGE_SIZE
        named = (section.name for section in self.build.image.sections if section.gpa == update.gpa)
        what = next(named, "metadata")
        return f"{what}, {pages} {update.page_type.name} page{'' if pages == 1 else 's'}"

    def firmware(self) -> UpdateLine:
        gpa = self.build.image.gpa if self.technology.measures_addresses else None
        return UpdateLine(f"firmware {self.build.name}", gpa, 1)


def _part(expected: _Launch, found: _Launch, called: str) -> Divergence:
    chains = [side.update_runs() for side in (expected, found)]
    shared: list[UpdateRun] = []
    same_firmware = expected.build.component.key == found.build.component.key
    if same_firmware:
        for a, b in zip(*chains, strict=False):
            if a != b:
                break
            shared.append(a)
    rest = [chain[len(shared) :] for chain in chains]
    if (
        same_firmware and all(rest) and rest[0][0].updates == rest[1][0].updates
    ):  # different number of APs, which are all equal
        least = min(side[0].repeat for side in rest)
        shared.append(replace(rest[0][0], repeat=least))
        rest = [_without(side, least) for side in rest]
    after = _common_end(*rest)
    own = [side[: len(side) - len(after)] for side in rest]
    vcpus = _count_vcpus(shared)
    stops = [list(side.stops(some, vcpus=vcpus)) for side, some in zip((expected, found), own, strict=True)]
    firsts = [side[0].updates[0] if side else None for side in own]
    return Divergence(
        technology=found.technology.name,
        shared=[found.firmware(), *found.stops(shared)] if same_firmware else [],
        expected=stops[0] if same_firmware else [expected.firmware(), *stops[0]],
        found=stops[1] if same_firmware else [found.firmware(), *stops[1]],
        after=list(found.stops(after, vcpus=vcpus + _count_vcpus(own[1]))),
        reasons=[
            one if isinstance(one, str) else one.text(called)
            for one in (_reasons(expected, found, *firsts) if same_firmware else [_another_firmware(expected, found)])
        ],
        called=called,
    )


def _common_end(one: Sequence[UpdateRun], other: Sequence[UpdateRun]) -> list[UpdateRun]:
    """The runs that both end with."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return list(one[len(one) - count :])


def _count_vcpus(runs: Sequence[UpdateRun]) -> int:
    return sum(one.repeat for one in runs for update in one.updates if update.page_type is PageType.VMSA)


@dataclass(frozen=True, slots=True)
class _Difference:
    """Two values of one thing: of the expected or nearest launch, and of the one that was found."""

    what: str
    a: object
    b: object
    verb: str = "was expected"

    def text(self, called: str) -> str:
        if called == "expected":
            return f"{self.what}: {self.a} {self.verb}, not {self.b}"
        return f"{self.what}: {self.b}; the {called} launch has {self.a}"


def _another_firmware(expected: _Launch, found: _Launch) -> _Difference:
    builds = (expected.build, found.build)
    key = "SNP baseline" if any(build.component.sha256 is None for build in builds) else "SHA-256"
    hashes = (build.image.snp_baseline if key != "SHA-256" else build.component.key for build in builds)
    images = [f"{one.hex()[:16]} ({build.name})" for one, build in zip(hashes, builds, strict=True)]
    return _Difference(f"firmware {key}", images[0], images[1])


def _without(runs: Sequence[UpdateRun], times: int) -> list[UpdateRun]:
    """The runs without `times` repeats of the first one."""
    first, *others = runs
    return [replace(first, repeat=first.repeat - times), *others] if first.repeat > times else others


def _reasons(
    expected: _Launch, found: _Launch, a: LaunchUpdate | None, b: LaunchUpdate | None
) -> Sequence[_Difference | str]:
    """The differences between two launch updates; None: that launch has no more updates."""
    types = {update.page_type for update in (a, b) if update}
    if types == {PageType.VMSA}:
        if a is None or b is None:
            counts = [getattr(side.point, "vcpus", 0) for side in (expected, found)]
            return [_Difference("vCPUs", counts[0], counts[1], "were expected")]
        return [_Difference(one.what, one.a, one.b) for one in differences(SaveArea(a.data), SaveArea(b.data))]
    hashes = [side.point.kernel_hashes for side in (expected, found)]
    if hashes[0] != hashes[1] and any(update and any(update.data) for update in (a, b)):
        if hashes[0] is None or hashes[1] is None:
            words = ["none" if one is None else "some" for one in hashes]
            return [_Difference("kernel hashes", words[0], words[1], "were expected")]
        return [f"kernel hashes: different {part}" for part in differing_parts(hashes[0], hashes[1])]
    if a and b and (a.gpa, a.size) == (b.gpa, b.size):
        return [_Difference(f"page type at {a.gpa:#x}", a.page_type.name, b.page_type.name)]
    addresses = [f"the update at {update.gpa:#x}" if update else "the end" for update in (a, b)]
    return [_Difference("order", addresses[0], addresses[1], "was expected next")]
