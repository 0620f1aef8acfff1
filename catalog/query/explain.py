"""Explain: why a launch digest is not the expected one, or not in a catalog: the inputs with which it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SevPolicy
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.report import AttestationReport
from catalog.errors import UsageError
from catalog.firmware.build import FirmwareBuild
from catalog.launch.measure_scan import scan_launch_measure
from catalog.launch.native.paths import Kernels
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import technologies, technology_named
from catalog.query.answer import Proofs
from catalog.query.evidence import Evidence, LaunchMeasureData
from catalog.query.explain_near import Known, Near
from catalog.query.explain_search import Candidate, Searched, search, size_of
from catalog.query.explain_space import (
    AXES,
    MAX_COUNT,
    Axis,
    Choice,
    Space,
    feature_choice,
    feature_choices,
    firmware_choices,
    kernel_choices,
    no_kernel,
    signature_choice,
    signature_choices,
)
from catalog.query.match import kernel_note, launch_notes
from catalog.query.measure_search import MeasureQuestion
from catalog.release import embedded
from catalog.release.engine import Engine

DEFAULT_BUDGET = 500_000_000
"""Candidates that are tried, about, where nobody says another number."""

MOST_AXES = 3


@dataclass(frozen=True, slots=True)
class DigestTarget:
    """A launch digest that is known."""

    digest: bytes

    def among(self, digests: bytes, size: int, kernels: Kernels) -> list[int]:  # noqa: ARG002 - it takes none
        """See Target."""
        found, at = [], digests.find(self.digest) if size == len(self.digest) else -1
        while at >= 0:
            if at % size == 0:
                found.append(at // size)
            at = digests.find(self.digest, at + 1)
        return found

    def is_it(self, digest: LaunchDigest) -> bool:
        """See Target."""
        return digest.value == self.digest


@dataclass(frozen=True, slots=True)
class MeasureTarget:
    """The launch digest that a launch measurement is of."""

    question: MeasureQuestion

    def among(self, digests: bytes, size: int, kernels: Kernels) -> list[int]:  # noqa: ARG002 - all have 32 bytes
        """See Target."""
        question = self.question
        return scan_launch_measure(question.tik, question.context, question.measurement, digests, kernels)

    def is_it(self, digest: LaunchDigest) -> bool:
        """See Target."""
        return self.question.is_of(digest)


@dataclass(frozen=True, slots=True)
class Explanation:
    """space: what was searched through. searched: what came of it."""

    space: Space
    searched: Searched

    @property
    def found(self) -> bool:
        return bool(self.searched.hits)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "found": self.found,
            "explanations": [self._hit(candidate) for candidate in self.searched.hits],
            "searched": {
                "candidates": self.searched.tried,
                "axes": {name: self._axis(name) for name in AXES},
                "excluded": [list(stage) for stage in self.searched.done],
                "not_excluded": [list(stage) for stage in self.searched.left],
            },
        }

    def differences(self, candidate: Candidate) -> list[tuple[str, str, str]]:
        """Axis, what was expected, and what it is, for each axis on which they differ."""
        found = []
        for name in AXES:
            axis: Axis[Any] = getattr(self.space, name)
            choice = candidate.choice(name)
            if choice and choice.label not in (labels := [other.label for other in axis.near]):
                found.append((name, _listed(labels), choice.label))
        return found

    def _hit(self, candidate: Candidate) -> dict[str, Any]:
        differs = [
            {"axis": axis, "expected": expected, "found": is_} for axis, expected, is_ in self.differences(candidate)
        ]
        digest = candidate.digest().hex()
        return {"launch_digest": digest, **configuration(candidate), "differs": differs, "notes": notes_of(candidate)}

    def summary(self) -> list[str]:
        """What nothing was found in, for people."""
        whole = [count for count in range(MOST_AXES + 1) if all(len(stage) != count for stage in self.searched.left)]
        lines = [f"nothing differs from what is expected on {_up_to(len(whole) - 1)} and has this digest"]
        if rest := [stage for stage in self.searched.done if len(stage) >= len(whole)]:
            lines.append(f"nor on: {'; '.join(' and '.join(stage) for stage in rest)}")
        if left := self.searched.left:
            lines.append(f"not all tried, as the budget is spent: {'; '.join(' and '.join(stage) for stage in left)}")
        for name in AXES:
            axis: Axis[Any] = getattr(self.space, name)
            others = _listed([choice.label for choice in axis.far]) or "no others"
            lines.append(f"{name}: {_listed([choice.label for choice in axis.near])} - and {others}")
        return lines

    def _axis(self, name: str) -> dict[str, list[str]]:
        axis: Axis[Any] = getattr(self.space, name)
        return {"expected": [choice.label for choice in axis.near], "others": [choice.label for choice in axis.far]}


def configuration(candidate: Candidate) -> dict[str, Any]:
    """A candidate as JSON has it: the fields of `ldcat measure`, and what people call it."""
    build, hashes, point = candidate.firmware.value, candidate.kernel_hashes.value, candidate.point()
    measured = point if isinstance(point, VcpuPoint) else None
    signature = measured.vcpu_signature if measured else None
    return {
        "technology": candidate.technology.value,
        "firmware": build.name,
        "firmware_sha256": build.component.sha256.hex(),
        "kernel_hashes": candidate.kernel_hashes.label,
        "kernel_sha256": hashes and hashes.kernel.hex(),
        "initrd_sha256": hashes and hashes.initrd.hex(),
        "cmdline_sha256": hashes and hashes.cmdline.hex(),
        "vmm": measured and measured.vmm.name,
        "vcpus": measured and measured.vcpus,
        "vcpu_signature": signature and str(signature),
        "sev_features": measured and f"{measured.sev_features:#x}",
        "kernel_hashes_enforced": build.component.kernel_hashes_enforced.value,
        "launchable": build.launchability(candidate.technology.value).verdict,
    }


def notes_of(candidate: Candidate) -> list[str]:
    """What has to be known of a configuration before relying on its digest."""
    build, technology = candidate.firmware.value, candidate.technology.value
    recorded = build.launchability(technology)
    enforced = build.component.kernel_hashes_enforced.value
    version = build.origin.version if build.origin else None
    kernel = kernel_note(candidate.kernel_hashes.value is not None, enforced, version)
    return [kernel, *launch_notes(technology, recorded.verdict, recorded.reason)]


def explain(
    evidence: Evidence,
    near: Near,
    known: Known,
    *,
    proofs: Proofs,
    engine: Engine,
    kernels: Kernels,
    budget: int,
    begin: Callable[[str, int], Callable[[int], None]],
) -> Explanation:
    """Search outward from what is near for what has the digest, or the launch measurement, of the evidence.

    budget: candidates, about. begin: as of a progress bar. Raises what `technologies_of` and MeasureQuestion do.
    """
    if budget < 1:
        raise UsageError(f"a budget of {budget} candidates finds nothing", "give 1 or more")
    value, host = evidence.value, None
    target: DigestTarget | MeasureTarget
    if isinstance(value, LaunchMeasureData):
        target = MeasureTarget(MeasureQuestion.of(value, proofs.tik or b""))
    elif isinstance(value, AttestationReport):
        target, host = DigestTarget(value.measurement.value), value.cpuid
    else:
        target = DigestTarget(value.value)
    space = space_of(near, known, only=technologies_of(evidence), host=host)
    progress = begin("tried", min(size_of(space, MOST_AXES), budget))
    searched = search(space, target, engine, kernels, most=MOST_AXES, budget=budget, progress=progress)
    return Explanation(space, searched)


def technologies_of(evidence: Evidence) -> list[str]:
    """Names of those that such a digest can be of, or that the policy of a launch measurement asks for."""
    value = evidence.value
    if isinstance(value, LaunchMeasureData):
        if value.policy is None:
            return ["sev", "sev-es"]
        return ["sev-es" if SevPolicy.parse(value.policy).es else "sev"]
    size = len(value.measurement.value if isinstance(value, AttestationReport) else value.value)
    return [name for name, technology in technologies().items() if technology.digest_size == size]


def space_of(
    near: Near,
    known: Known,
    *,
    only: Sequence[str],
    host: tuple[int, int, int] | None,
) -> Space:
    """The axes. only: technologies that have digests of that size, or that a policy allows. host: of a report."""
    snp = "sev-snp" in only
    expected = [name for name in near.technologies if name in only] or list(only)
    profiles = [profile for profile in known.profiles.values() if set(profile.technologies) & set(only)]
    types = embedded.vcpu_types()
    signatures = signature_choices(types, host)
    near_vmms = [known.profiles[name] for name in near.vmms] or profiles
    near_signatures = [signature_choice(signature, types) for signature in near.signatures]
    kernels = [kernel for kernel in near.kernels if kernel] + list(known.kernels)
    near_kernels: list[Choice[KernelHashes | None]] = [
        Choice(kernel.hashes, kernel.label) if kernel else no_kernel() for kernel in near.kernels
    ]
    near_features = near.sev_features or [technology_named(expected[0]).default_sev_features or 0]
    return Space(
        vcpus=Axis.of(
            (Choice(count, str(count)) for count in near.vcpus or range(1, MAX_COUNT + 1)),
            (Choice(count, str(count)) for count in range(1, MAX_COUNT + 1)),
        ),
        vmm=Axis.of((Choice(p, p.name) for p in near_vmms), (Choice(p, p.name) for p in profiles)),
        sev_features=Axis.of(
            (feature_choice(features & ~1, snp=snp) for features in near_features), feature_choices(snp=snp)
        ),
        vcpu_signature=Axis.of(near_signatures or signatures, signatures),
        kernel_hashes=Axis.of(near_kernels, kernel_choices(kernels)),
        firmware=_by_component(
            [Choice(build, build.name) for build in near.firmware], firmware_choices(near.firmware, known.builds)
        ),
        technology=Axis.of((Choice(n, n) for n in expected), (Choice(n, n) for n in only)),
    )


def _by_component(
    near: Sequence[Choice[FirmwareBuild]], others: Sequence[Choice[FirmwareBuild]]
) -> Axis[FirmwareBuild]:
    """Builds with the same bytes are one."""
    seen: dict[bytes, Choice[FirmwareBuild]] = {}
    for choice in (*near, *others):
        seen.setdefault(choice.value.component.sha256, choice)
    first = {choice.value.component.sha256 for choice in near}
    return Axis(
        tuple(choice for sha256, choice in seen.items() if sha256 in first),
        tuple(choice for sha256, choice in seen.items() if sha256 not in first),
    )


def _listed(labels: Sequence[str]) -> str:
    if all(label.isdecimal() for label in labels):  # vCPU counts
        return _ranges(sorted(map(int, labels)))
    return "; ".join(labels) if len(labels) <= 8 else f"{len(labels)}: {'; '.join(labels[:7])}; ..."


def check_budget(budget: int) -> None:
    """Raises UsageError for a budget that is none."""
    if budget < 1:
        raise UsageError(f"a budget of {budget} candidates finds nothing", "give a number of candidates, 1 or more")


def _up_to(count: int) -> str:
    return ("no axis", "one axis", "up to two axes", "up to three axes")[count]


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers in ascending order, those that follow one another as a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
