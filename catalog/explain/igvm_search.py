"""Searches launches from known IGVM files: each file under every loader, with every number and type of vCPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.abi.kernel_hashes import KernelHashes
from catalog.build.measuring import measure_sweeps
from catalog.explain.igvm_hit import IgvmHit
from catalog.explain.search import Target
from catalog.explain.search_space import MAX_COUNT, Choice
from catalog.firmware.build import FirmwareBuild
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.technology import technology_named
from catalog.rows.launch_config import LaunchConfig, VcpuSweep
from catalog.spec.catalog_spec import Axes
from catalog.spec.cross_product import variants

_AT_ONCE = 1 << 16
"""Launches that are hashed between two looks at the clock, approximately."""

_Piece = tuple[FirmwareBuild, Sequence[VcpuSweep]]


@dataclass(frozen=True, slots=True)
class IgvmSpace:
    """What is tried.

    source: name of the baseline. expected: the launch that was expected, if it is from an IGVM file.
    builds: IGVM files, the likeliest first. technologies: names.
    axes: loaders, and vCPU signatures. near, far: kernel hashes; the far ones are tried last.
    """

    source: str
    expected: IgvmHit | None
    builds: Sequence[FirmwareBuild]
    technologies: Sequence[str]
    axes: Axes
    near: Sequence[Choice[KernelHashes | None]]
    far: Sequence[Choice[KernelHashes | None]]

    def pieces(self) -> Iterator[_Piece]:
        """The sweeps of each file that can launch, in pieces of one technology."""
        for kernels in (self.near, self.far):
            for build in self.builds:
                for name in self.technologies:
                    for choice in kernels:
                        yield from self._pieces(build, name, choice.value)

    def _pieces(self, build: FirmwareBuild, name: str, hashes: KernelHashes | None) -> Iterator[_Piece]:
        some: list[VcpuSweep] = []
        for sweep in variants(technology_named(name), self.axes, build.component, hashes):
            if not sweep.at(sweep.vcpus[0]).blocker:
                some.append(sweep)
            if len(some) * MAX_COUNT >= _AT_ONCE:
                yield build, some
                some = []
        if some:
            yield build, some

    def label(self, hashes: KernelHashes | None) -> str:
        return next(choice.label for choice in (*self.near, *self.far) if choice.value == hashes)


@dataclass(frozen=True, slots=True)
class IgvmSearch:
    """The result of a search.

    hits: those nearest to the expected launch first. tried: number of launches. is_whole: whether all were tried.
    interrupted: whether KeyboardInterrupt ended it.
    """

    space: IgvmSpace
    hits: tuple[IgvmHit, ...]
    tried: int
    is_whole: bool
    interrupted: bool

    def line(self) -> str:
        """What was tried, for people."""
        count = len(self.space.builds)
        files = "1 IGVM file" if count == 1 else f"{count:,} IGVM files"
        tried = f"{self.tried:,} launches from {files} were tried"
        if self.hits:
            return tried
        if not self.is_whole:
            return f"{tried}; {'the interruption' if self.interrupted else 'the budget'} ended this search"
        kernels = len({choice.value for choice in (*self.space.near, *self.space.far) if choice.value})
        axes = f"{len(self.space.axes.loaders)} loaders, 1 to {MAX_COUNT} vCPUs of every known type"
        return f"{tried}: excluded are all {axes}, and {kernels:,} kernels where a loader passes their hashes"

    def to_dict(self) -> dict[str, Any]:
        """The member `igvm` in the JSON of `ldcat explain`."""
        return {
            "candidates": self.tried,
            "files": [build.name for build in self.space.builds],
            "loaders": [vmm.name for vmm in self.space.axes.loaders],
            "excluded": self.is_whole,
        }


@dataclass(slots=True)
class IgvmSearcher:
    """Searches a space piece by piece; it can be stopped and go on."""

    space: IgvmSpace
    target: Target
    backend: HashBackend
    hits: list[IgvmHit] = field(default_factory=list)
    tried: int = 0
    _left: Iterator[_Piece] | None = None

    def go_on(self, is_over: Callable[[], bool]) -> IgvmSearch:
        """Try one piece after the other until one has the digest; KeyboardInterrupt is kept in the result."""
        interrupted, is_whole = False, False
        pieces = self._left = self._left or self.space.pieces()
        try:
            while not self.hits and not is_over():
                piece = next(pieces, None)
                if piece is None:
                    is_whole = True
                    break
                self._try(*piece)
        except KeyboardInterrupt:
            interrupted = True
        return IgvmSearch(self.space, self._sorted(), self.tried, is_whole, interrupted)

    def _try(self, build: FirmwareBuild, sweeps: Sequence[VcpuSweep]) -> None:
        for batch in measure_sweeps(sweeps, range(len(sweeps)), self.backend):
            self.tried += batch.steps * len(batch.sweeps)
            for at in self.target.among(bytes(batch.digests), batch.digest_size, self.backend):
                sweep = sweeps[batch.sweeps[at // batch.steps]]
                config = sweep.at(sweep.vcpus[at % batch.steps])
                if self.target.is_it(config.digest()):  # measured again, one by one
                    self._found(build, config)

    def _found(self, build: FirmwareBuild, config: LaunchConfig) -> None:
        self.hits.append(IgvmHit(build, config, self.space.label(config.kernel_hashes)))

    def _sorted(self) -> tuple[IgvmHit, ...]:
        expected = self.space.expected
        return tuple(sorted(self.hits, key=lambda hit: len(hit.differences(expected)) if expected else 0))
