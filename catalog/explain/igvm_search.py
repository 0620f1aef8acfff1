"""Searches launches from known IGVM files: each file under every loader, with every number and type of vCPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.build.measuring import measure_sweeps
from catalog.explain.baseline import Baseline, KnownInputs
from catalog.explain.candidate_kernels import kernel_choices
from catalog.explain.igvm_hit import IgvmHit
from catalog.explain.search import Target
from catalog.explain.search_space import MAX_COUNT, Choice
from catalog.firmware.build import FirmwareBuild
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.technology import technology_named
from catalog.rows.launch_config import LaunchConfig, VcpuSweep
from catalog.spec import embedded
from catalog.spec.catalog_spec import Axes
from catalog.spec.cross_product import variants

_AT_ONCE = 256
"""Sweeps that are hashed between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class IgvmSearch:
    """The result of a search.

    files, loaders: names of what was tried. tried: number of launches. source: of its baseline.
    expected: the launch that was expected, if it is from an IGVM file. is_whole: whether everything was tried.
    """

    source: str
    files: tuple[str, ...]
    loaders: tuple[str, ...]
    hits: tuple[IgvmHit, ...]
    tried: int
    expected: IgvmHit | None
    is_whole: bool

    def line(self) -> str:
        """What was tried, for people."""
        files = "1 IGVM file" if len(self.files) == 1 else f"{len(self.files):,} IGVM files"
        rest = "" if self.is_whole or self.hits else "; the budget ended it"
        return f"{self.tried:,} launches from {files} were tried, under every loader{rest}"

    def to_dict(self) -> dict[str, Any]:
        """The member `igvm` in the JSON of `ldcat explain`."""
        return {"candidates": self.tried, "files": self.files, "loaders": self.loaders, "excluded": self.is_whole}


def search_igvm(
    near: Baseline,
    known: KnownInputs,
    target: Target,
    only: Sequence[str],
    signatures: Sequence[VcpuSignature],
    backend: HashBackend,
    is_over: Callable[[], bool],
) -> IgvmSearch:
    """Try every known IGVM file until one has the digest. only, signatures: technologies and vCPU types to try."""
    loaders = tuple(embedded.loaders().values())
    axes = Axes(loaders, tuple(signatures), (), tuple(range(1, MAX_COUNT + 1)), 0)
    kernels = list(kernel_choices(known.kernels))
    hits: list[IgvmHit] = []
    tried, is_whole = 0, True
    for build, some in _pieces(known.igvm, kernels, axes, only):
        if tried and is_over():
            is_whole = False
            break
        found, count = _matching(some, target, backend)
        hits += [IgvmHit(build, config, _label(config.kernel_hashes, kernels)) for config in found]
        tried += count
    names = tuple(build.name for build in known.igvm)
    return IgvmSearch(
        near.source, names, tuple(one.name for one in loaders), tuple(hits), tried, near.igvm, is_whole=is_whole
    )


def _pieces(
    builds: Sequence[FirmwareBuild],
    kernels: Sequence[Choice[KernelHashes | None]],
    axes: Axes,
    only: Sequence[str],
) -> Iterator[tuple[FirmwareBuild, Sequence[VcpuSweep]]]:
    """The sweeps of each file that can launch, those without kernel hashes first, in pieces of one technology."""
    ordered = sorted((choice.value for choice in kernels), key=lambda hashes: hashes is not None)  # stable
    for build in builds:
        for technology in map(technology_named, only):
            sweeps: list[VcpuSweep] = []
            for hashes in dict.fromkeys(ordered):
                some = variants(technology, axes, build.component, hashes)
                sweeps += [sweep for sweep in some if not sweep.at(sweep.vcpus[0]).blocker]
                if len(sweeps) >= _AT_ONCE:
                    yield build, sweeps
                    sweeps = []
            if sweeps:
                yield build, sweeps


def _matching(sweeps: Sequence[VcpuSweep], target: Target, backend: HashBackend) -> tuple[list[LaunchConfig], int]:
    """The configurations of sweeps that have the digest, measured again one by one; and how many were tried."""
    found, tried = [], 0
    for batch in measure_sweeps(sweeps, range(len(sweeps)), backend):
        tried += batch.steps * len(batch.sweeps)
        for at in target.among(bytes(batch.digests), batch.digest_size, backend):
            sweep = sweeps[batch.sweeps[at // batch.steps]]
            config = sweep.at(sweep.vcpus[at % batch.steps])
            if target.is_it(config.digest()):
                found.append(config)
    return found, tried


def _label(hashes: KernelHashes | None, kernels: Sequence[Choice[KernelHashes | None]]) -> str:
    return next(choice.label for choice in kernels if choice.value == hashes)
