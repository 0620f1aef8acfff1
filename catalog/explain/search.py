"""Search: measures configurations by the hundred thousand, stage by stage, until one has the digest.

A stage has far values on some axes and near values on all others. All vCPU counts of a configuration are one chain,
and chains are hashed side by side. A hit counts only after it was measured again, update by update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Protocol

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import CannotLaunch
from catalog.explain.candidate import Candidate
from catalog.explain.search_space import Choice, SearchSpace, Stage, measured_axes
from catalog.launch.chain import SIDE_BY_SIDE, Digests, VcpuChain
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Measurer, technology_named
from catalog.launch.update import LaunchUpdate
from catalog.work.engine import Engine

_STEPS = 1 << 18
"""Steps of chains that are folded in one task, approximately."""

_SLOW_STEPS = 1 << 15
"""The same without compiled code: a task takes some tenths of a second."""

_KEPT_STATES = 1 << 17
"""States of launches that are kept for later stages, which combine the same ones with other vCPUs: 40 MB."""

_Fields = tuple[Any, ...]

_Vcpu = tuple[Choice[VcpuSignature] | None, Choice[int]]


class Target(Protocol):
    """What a search looks for: a launch digest, or the launch digest of a launch measurement."""

    def among(self, digests: Digests, size: int, backend: HashBackend) -> list[int]:
        """Indexes of the digests that match. digests: concatenated, of `size` bytes each."""

    def is_it(self, digest: LaunchDigest) -> bool:
        """True if this digest matches."""


@dataclass(frozen=True, slots=True)
class Task:
    """Chains that are folded and searched together; or, without chains, `digests` that were already computed."""

    technology: str
    chains: Sequence[VcpuChain]
    counts: Sequence[int]
    digests: bytes
    target: Target
    backend: HashBackend


@dataclass(frozen=True, slots=True)
class Batch:
    """Candidates of one stage, and the task that tries them: one chain or one digest for each candidate.

    candidates: the fields of each: few become a Candidate, and most of the time would be spent on the others.
    """

    stage: Stage
    candidates: Sequence[_Fields]
    task: Task

    @property
    def tried(self) -> int:
        """Number of digests in the batch."""
        return len(self.candidates) * (len(self.task.counts) or 1)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    hits: all from one stage.
    done: stages tried completely.
    left: the other stages.
    tried: number of candidates.
    interrupted: whether KeyboardInterrupt ended it.
    """

    hits: tuple[Candidate, ...]
    done: tuple[Stage, ...]
    left: tuple[Stage, ...]
    tried: int
    interrupted: bool = False


def search(
    space: SearchSpace,
    stages: Sequence[Stage],
    target: Target,
    engine: Engine,
    backend: HashBackend,
    *,
    is_over: Callable[[], bool],
    progress: Callable[[str, int], None],
) -> SearchResult:
    """Try all candidates of the stages, in order, until one matches.

    is_over: called before each batch; True ends the search.
    progress: called after each batch with its stage in words and its number of candidates.

    The result has the nearest hit, with the other hits of its batch. KeyboardInterrupt is kept in it.
    """
    plan = _Plan(space, stages, target, backend, is_over)
    hits: tuple[Candidate, ...] = ()
    nearest = tried = 0
    interrupted = False
    try:
        with closing(engine.run(try_task, plan.tasks())) as results:
            for number, found in results:
                batch = plan.sent[number]
                confirmed = tuple(_confirmed(batch, found))
                if confirmed and (not hits or number < nearest):
                    hits, nearest, stage = confirmed, number, batch.stage
                tried += batch.tried
                del plan.sent[number]
                progress(batch.stage.words, batch.tried)
                if hits and all(other > nearest for other in plan.sent):
                    break
    except KeyboardInterrupt:
        interrupted = True
    unfinished = {batch.stage for batch in plan.sent.values()}
    done = stages[: stages.index(stage)] if hits else [each for each in plan.done if each not in unfinished]
    return SearchResult(hits, tuple(done), tuple(each for each in stages if each not in done), tried, interrupted)


def try_task(task: Task) -> list[tuple[int, int]]:
    """The candidates that match, each as its index and the index of its vCPU count."""
    technology, backend = technology_named(task.technology), task.backend.here()
    among, size = task.target.among, technology.digest_size
    if not task.chains:
        return [(number, 0) for number in among(task.digests, size, backend)]
    folded = technology.fold_chains(task.chains, task.counts, backend)
    return [(number, count) for number, digests in enumerate(folded) for count in among(digests, size, backend)]


def _confirmed(batch: Batch, found: Sequence[tuple[int, int]]) -> Iterator[Candidate]:
    """The candidates that were found, with their vCPU counts, if measuring them again confirms it."""
    for number, count in found:
        candidate = Candidate(*batch.candidates[number])
        if batch.task.counts:
            candidate = replace(candidate, vcpus=batch.task.counts[count])
        if batch.task.target.is_it(candidate.config().digest()):
            yield candidate


@dataclass(slots=True)
class _Plan:
    """Makes batches, stage by stage.

    sent: unfinished batches, by number.
    done: stages that were sent completely.
    _blocked: launches that are not possible, with and without kernel hashes: no blocker depends on what is hashed.
    _states: those of launches up to the first vCPU, until there are too many.
    """

    space: SearchSpace
    stages: Sequence[Stage]
    target: Target
    backend: HashBackend
    is_over: Callable[[], bool]
    sent: dict[int, Batch] = field(default_factory=dict)
    done: list[Stage] = field(default_factory=list)
    _count: int = 0
    _blocked: set[tuple[object, ...]] = field(default_factory=set)
    _states: dict[tuple[object, ...], Any] = field(default_factory=dict)
    _pages: dict[tuple[Any, ...], tuple[LaunchUpdate, LaunchUpdate]] = field(default_factory=dict)

    def tasks(self) -> Iterator[Task]:
        """All tasks, until the search is over."""
        for stage in self.stages:
            for batch in self._stage(stage):
                if self.is_over():
                    return
                self.sent[self._count] = batch
                self._count += 1
                yield batch.task
            self.done.append(stage)

    def _stage(self, stage: Stage) -> Iterator[Batch]:
        for technology in self.space.choices("technology", stage):
            if technology_named(technology.value).measures_vcpus:
                yield from self._chains(stage, technology)
            elif set(stage.axes) <= measured_axes(technology.value):  # others would change nothing
                yield from self._digests(stage, technology)

    def _digests(self, stage: Stage, technology: Choice[str]) -> Iterator[Batch]:
        """Batches of a technology that measures no vCPU."""
        candidates, digests = list[_Fields](), []
        known = technology_named(technology.value)
        vmms = self.space.choices("vmm", stage) if known.measures_vmm else (None,)
        for firmware in self.space.choices("firmware", stage):
            measurer = Measurer(known, firmware.value.component)
            for kernel_hashes, vmm in product(self.space.kernels(stage, known), vmms):
                candidate = Candidate(technology, firmware, kernel_hashes, vmm)
                try:
                    digests.append(measurer.measure(candidate.config().point).value)
                except CannotLaunch:
                    continue
                candidates.append((technology, firmware, kernel_hashes, vmm))
        if candidates:
            yield self._batch(stage, candidates, (), (), b"".join(digests))

    def _chains(self, stage: Stage, technology: Choice[str]) -> Iterator[Batch]:
        """Batches of a technology that measures vCPUs, with every vCPU count of the stage."""
        counts = sorted(choice.value for choice in self.space.choices("vcpus", stage))
        candidates: list[_Fields] = []
        chains: list[VcpuChain] = []
        if not counts:
            return
        at_once = -(-(_STEPS if self.backend.compiled else _SLOW_STEPS) // counts[-1])
        if at_once > SIDE_BY_SIDE:
            at_once -= at_once % SIDE_BY_SIDE
        for candidate, chain in self._launches(stage, technology):
            candidates.append(candidate)
            chains.append(chain)
            if len(chains) == at_once:
                yield self._batch(stage, candidates, chains, counts)
                candidates, chains = [], []
        if chains:
            yield self._batch(stage, candidates, chains, counts)

    def _launches(self, stage: Stage, technology: Choice[str]) -> Iterator[tuple[_Fields, VcpuChain]]:
        """Every configuration of a stage that can launch, without its vCPU count.

        Those with the same vCPUs come one after the other: their VMSAs are made once.
        """
        for vmm in self.space.choices("vmm", stage):
            features = self.space.choices("sev_features", stage)
            vcpus = list(product(self.space.signatures(stage, vmm.value), features))
            if not vcpus:
                continue
            launches = list(self._before_vcpus(stage, technology, vmm, vcpus[0]))
            for signature, extra in vcpus:
                pages: dict[int | None, tuple[LaunchUpdate, LaunchUpdate]] = {}  # by the reset vector
                for measurer, launch, state in launches:
                    fields = (technology, launch.firmware, launch.kernel_hashes, vmm, signature, extra, 2)
                    reset_vector = measurer.firmware.reset_vector
                    if reset_vector not in pages:
                        pages[reset_vector] = self._vmsas(measurer, Candidate(*fields))
                    yield fields, VcpuChain(state, *pages[reset_vector])

    def _before_vcpus(
        self, stage: Stage, technology: Choice[str], vmm: Choice[VmmProfile], vcpu: _Vcpu
    ) -> Iterator[tuple[Measurer, Candidate, Any]]:
        """Launches up to the first vCPU, with their state. vcpu: any one; it does not change the state."""
        for firmware in self.space.choices("firmware", stage):
            component = firmware.value.component
            measurer = Measurer(technology_named(technology.value), component)
            for kernel_hashes in self.space.choices("kernel_hashes", stage):
                kind = (technology.value, component.key, vmm.value.name, kernel_hashes.value is None)
                if kind in self._blocked:
                    continue
                candidate = Candidate(technology, firmware, kernel_hashes, vmm, *vcpu, 2)
                try:
                    state = self._state(measurer, candidate, (*kind, kernel_hashes.value))
                except CannotLaunch:
                    self._blocked.add(kind)
                    continue
                yield measurer, candidate, state

    def _state(self, measurer: Measurer, candidate: Candidate, launch: tuple[object, ...]) -> Any:
        """The state of a launch before its vCPUs; raises CannotLaunch."""
        if launch in self._states:
            return self._states[launch]
        state = measurer.chain(candidate.vcpu_point()).state
        if len(self._states) < _KEPT_STATES:
            self._states[launch] = state
        return state

    def _vmsas(self, measurer: Measurer, candidate: Candidate) -> tuple[LaunchUpdate, LaunchUpdate]:
        """The launch updates of BSP and AP: the same for all firmware with the same reset vector."""
        vmm, signature, features = candidate.vmm, candidate.vcpu_signature, candidate.sev_features
        technology, reset_vector = candidate.technology.value, measurer.firmware.reset_vector
        key = (technology, reset_vector, vmm and vmm.value, signature and signature.value, features and features.value)
        if key not in self._pages:
            self._pages[key] = measurer.vmsas(candidate.vcpu_point())
        return self._pages[key]

    def _batch(
        self,
        stage: Stage,
        candidates: Sequence[_Fields],
        chains: Sequence[VcpuChain],
        counts: Sequence[int],
        digests: bytes = b"",
    ) -> Batch:
        technology = candidates[0][0].value
        return Batch(stage, candidates, Task(technology, chains, counts, digests, self.target, self.backend))
