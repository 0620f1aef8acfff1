"""Explain: finds inputs that give a launch digest which is not the expected one, or not in a catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.abi.digest import LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.ask.launch_measure_search import MeasureQuestion
from catalog.ask.verification import VerificationInputs
from catalog.errors import UsageError, VerificationFailed
from catalog.evidence.evidence import HCL_FORM, Evidence
from catalog.explain.baseline import Baseline, KnownInputs
from catalog.explain.candidate_kernels import kernel_choices, no_kernel
from catalog.explain.explanation import MOST_AXES, Explanation, Search
from catalog.explain.igvm_search import IgvmSearcher, IgvmSpace
from catalog.explain.search import SearchResult, search
from catalog.explain.search_space import (
    MAX_COUNT,
    Axis,
    Choice,
    SearchSpace,
    feature_choice,
    feature_choices,
    firmware_choices,
    signature_choice,
    signature_choices,
)
from catalog.explain.stages import CandidateCounter, stages
from catalog.explain.usual_mistakes import with_usual_mistakes
from catalog.firmware.build import FirmwareBuild
from catalog.launch.chain import Digests
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.measure_scan import scan_launch_measure
from catalog.launch.technology import technology_named
from catalog.spec import embedded
from catalog.spec.catalog_spec import Axes
from catalog.work.engine import Engine

DEFAULT_BUDGET = 20.0
"""Default for the seconds that a search may take."""

MAX_BUDGET = 7 * 24 * 3600
"""Most seconds that a search may take."""

SearchProgress = Callable[[str, int], None]
"""Called with what is searched, in words, and the number of candidates tried since the last call."""


class SearchInterrupted(KeyboardInterrupt):
    """KeyboardInterrupt during a search. explanation: what was searched before."""

    def __init__(self, explanation: Explanation) -> None:
        super().__init__()
        self.explanation = explanation


@dataclass(slots=True)
class Budget:
    """The time that a search may take; the first question is always answered by False, so that something is tried.

    clock: seconds, from any start.
    end: when the time is over.
    """

    clock: Callable[[], float]
    end: float
    begun: bool = False

    @classmethod
    def starting(cls, seconds: float, clock: Callable[[], float]) -> Budget:
        """A budget that starts now. Raises UsageError for seconds that no search can take."""
        if not 0 < seconds <= MAX_BUDGET:
            size = "too large" if seconds > 0 else "too small"
            raise UsageError(f"a budget of {seconds:g} seconds is {size}", f"give up to {MAX_BUDGET:,} seconds")
        return cls(clock, clock() + seconds)

    def half(self) -> Budget:
        """A budget that ends in half of the time that is left."""
        now = self.clock()
        return Budget(self.clock, now + (self.end - now) / 2)

    def is_over(self) -> bool:
        """True if the time is over, but not the first time."""
        begun, self.begun = self.begun, True
        return begun and self.clock() >= self.end


@dataclass(frozen=True, slots=True)
class DigestTarget:
    """Searches for a known launch digest."""

    digest: bytes

    def among(self, digests: Digests, size: int, backend: HashBackend) -> list[int]:  # noqa: ARG002 - hashes nothing
        found, searched = [], bytes(digests) if size == len(self.digest) else b""
        at = searched.find(self.digest)
        while at >= 0:
            if at % size == 0:
                found.append(at // size)
            at = searched.find(self.digest, at + 1)
        return found

    def is_it(self, digest: LaunchDigest) -> bool:
        return digest.value == self.digest


@dataclass(frozen=True, slots=True)
class MeasureTarget:
    """Searches for the launch digest of a launch measurement."""

    question: MeasureQuestion

    def among(self, digests: Digests, size: int, backend: HashBackend) -> list[int]:  # noqa: ARG002 - all have 32 bytes
        question = self.question
        return scan_launch_measure(question.tik, question.context, question.measurement, digests, backend)

    def is_it(self, digest: LaunchDigest) -> bool:
        return self.question.matches(digest)


def explain(
    evidence: Evidence,
    baselines: Sequence[Baseline],
    known: KnownInputs,
    *,
    proofs: VerificationInputs,
    engine: Engine,
    backend: HashBackend,
    budget: Budget,
    start_progress: Callable[[int], SearchProgress],
) -> Explanation:
    """Search for configurations that have the digest, or the launch measurement, of the evidence.

    Of evidence that no known firmware can produce only the baselines themselves are tried.

    baselines: where to start from; the next one is used only if nothing was found.
    known: values to try on each axis.
    start_progress: called once with the number of all candidates.

    Raises SearchInterrupted, and the errors of `Evidence.technologies` and `MeasureQuestion.of`.
    """
    target: DigestTarget | MeasureTarget
    if data := evidence.measure_data:
        target = MeasureTarget(MeasureQuestion.of(data, proofs.tik or b""))
    else:
        target = DigestTarget(evidence.digest.value)
    host = evidence.report.cpuid if evidence.report else None
    searcher = _igvm_searcher(baselines[0], known, target, evidence.technologies(), host, backend)
    igvm = searcher.go_on(budget.half().is_over) if searcher else None
    if igvm and (igvm.hits or igvm.interrupted):
        return _finished(Explanation((), igvm=igvm))
    baselines = [near for near in baselines if not near.igvm]
    spaces = [build_search_space(near, known, only=evidence.technologies(), host=host) for near in baselines]
    hopeless = evidence.form.startswith(HCL_FORM)
    most = 0 if hopeless else MOST_AXES
    plans = [stages(space, most) for space in spaces]
    counters = map(CandidateCounter, spaces)
    progress = start_progress(sum(sum(map(one.count, plan)) for one, plan in zip(counters, plans, strict=True)))
    searches: list[Search] = []
    for near, space, plan in zip(baselines, spaces, plans, strict=True):

        def advance(words: str, count: int, source: str = near.source) -> None:
            progress(f"{source}: {words}", count)

        if searches and searches[-1].searched.interrupted:
            found = SearchResult((), (), tuple(plan), 0, interrupted=True)
        else:
            found = search(space, plan, target, engine, backend, is_over=budget.is_over, progress=advance)
        searches.append(Search(near.source, space, found, most))
        if found.hits:
            break
    if searcher and igvm and not (igvm.is_whole or searches[-1].searched.hits or searches[-1].searched.interrupted):
        igvm = searcher.go_on(budget.is_over)
    return _finished(Explanation(tuple(searches), hopeless=hopeless, igvm=igvm))


def _finished(explanation: Explanation) -> Explanation:
    """Raises SearchInterrupted if the search was interrupted."""
    if explanation.interrupted:
        raise SearchInterrupted(explanation)
    return explanation


def _igvm_searcher(
    near: Baseline,
    known: KnownInputs,
    target: DigestTarget | MeasureTarget,
    only: Sequence[str],
    host: tuple[int, int, int] | None,
    backend: HashBackend,
) -> IgvmSearcher | None:
    """The search of IGVM files; None if no file is known."""
    builds = {near.igvm.build.component.key: near.igvm.build} if near.igvm else {}
    for build in known.igvm:
        builds.setdefault(build.component.key, build)
    if not builds:
        return None
    expected = near.igvm and near.igvm.found.vmm
    loaders = sorted(known.loaders.values(), key=lambda one: not expected or one.name != expected.name)
    signatures = dict.fromkeys(choice.value for choice in signature_choices(embedded.vcpu_types(), host))
    own = [kernel for kernel in near.kernels if kernel] if near.igvm else []
    given = [*own, *known.files.together(), *known.files.with_parts_of(own)]
    close = {choice.value: choice for choice in reversed(list(kernel_choices(given)))}
    far = (choice for choice in kernel_choices(known.kernels) if choice.value not in close)
    axes = Axes(tuple(loaders), tuple(signatures), (), tuple(range(1, MAX_COUNT + 1)), 0)
    space = IgvmSpace(
        near.source,
        near.igvm,
        tuple(builds.values()),
        only,
        axes,
        tuple(reversed(close.values())),
        tuple({choice.value: choice for choice in far}.values()),
    )
    return IgvmSearcher(space, target, backend)


def build_search_space(
    near: Baseline,
    known: KnownInputs,
    *,
    only: Sequence[str],
    host: tuple[int, int, int] | None,
) -> SearchSpace:
    """The axes with their values.

    only: names of the technologies that the evidence can belong to.
    host: CPUID family, model and stepping of the host, from a report.
    """
    expected = list(near.technologies) or list(only)
    profiles = [profile for profile in known.profiles.values() if set(profile.technologies) & set(only)]
    types = embedded.vcpu_types()
    signatures = signature_choices(types, host)
    if unknown := [name for name in near.vmms if name not in known.profiles]:
        raise VerificationFailed(f"the catalog has rows of the VMM profile {unknown[0]!r}, and no such profile")
    near_vmms = [known.profiles[name] for name in near.vmms] or profiles
    near_signatures = [signature_choice(signature, types) for signature in near.signatures]
    bases = [kernel for kernel in near.kernels if kernel]
    replaced = known.files.with_parts_of(bases)
    kernels = [*bases, *replaced, *known.kernels, *known.files.with_parts_of(known.kernels)]
    near_kernels: list[Choice[KernelHashes | None]] = [
        Choice(kernel.hashes, kernel.label) if kernel else no_kernel() for kernel in near.kernels
    ]
    space = SearchSpace(
        vcpus=Axis.of(
            (Choice(count, str(count)) for count in near.vcpus or range(1, MAX_COUNT + 1)),
            (Choice(count, str(count)) for count in range(1, MAX_COUNT + 1)),
        ),
        vmm=Axis.of((Choice(p, p.name) for p in near_vmms), (Choice(p, p.name) for p in profiles)),
        sev_features=_features(near.sev_features, expected, only),
        vcpu_signature=Axis.of(near_signatures or signatures, signatures),
        kernel_hashes=Axis.of(near_kernels, kernel_choices(kernels)),
        firmware=_by_component(
            [Choice(build, build.name) for build in near.firmware], firmware_choices(near.firmware, known.builds)
        ),
        technology=Axis.of((Choice(n, n) for n in expected), (Choice(n, n) for n in only)),
        possible=frozenset(only),
    )
    named = [*types.by_name.values(), *(choice.value for choice in signatures[: 1 if host else 0])]
    return with_usual_mistakes(space, bases=bases, replaced=replaced, given=known.firmware, named=named)


def _features(near: Sequence[int], expected: Sequence[str], only: Sequence[str]) -> Axis[int]:
    """sev_features without the default bits of a technology. near: values with these bits."""
    possible = [one for one in map(technology_named, only) if one.measures_vcpus]
    default = possible[0].default_sev_features if possible else 0
    usual = dict.fromkeys(bit for one in possible for bit in one.usual_sev_features)
    implied = default
    for name in expected:
        implied |= technology_named(name).default_sev_features
    return Axis.of(
        (feature_choice(features & ~implied, default) for features in near or [0]),
        feature_choices(tuple(usual), default),
    )


def _by_component(
    near: Sequence[Choice[FirmwareBuild]], others: Sequence[Choice[FirmwareBuild]]
) -> Axis[FirmwareBuild]:
    """The axis of firmware; builds with the same bytes are one value."""
    seen: dict[bytes, Choice[FirmwareBuild]] = {}
    for choice in (*near, *others):
        seen.setdefault(choice.value.component.key, choice)
    first = {choice.value.component.key for choice in near}
    return Axis(
        tuple(choice for sha256, choice in seen.items() if sha256 in first),
        tuple(choice for sha256, choice in seen.items() if sha256 not in first),
    )
