"""Search space: what may have been launched instead of the expected configuration, axis by axis, the likeliest first.

Each axis has near values, which are the expected ones or those of the catalog, and far values: all others that occur in
practice or that the user names. A search starts from the near values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Generic, TypeVar

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Technology, technology_named
from catalog.launch.vcpu_types import VcpuTypes

Value = TypeVar("Value")

AXES = ("vcpus", "vmm", "sev_features", "vcpu_signature", "kernel_hashes", "firmware", "technology")
"""Axes, sorted by how likely they are to differ."""

MAX_COUNT = 1024
"""Highest vCPU count that is tried."""

_HOSTS = (
    ((0x17, 0x01), range(1, 3)),
    ((0x17, 0x31), range(2)),
    ((0x19, 0x01), range(3)),
    ((0x19, 0x11), range(3)),
    ((0x19, 0xA0), range(3)),
    ((0x1A, 0x02), range(3)),
    ((0x1A, 0x11), range(2)),
)
"""(family, model), steppings of EPYC processors from Naples to Turin Dense: what -cpu host gives a guest."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[Value]):
    """A value of an axis, with its label for people."""

    value: Value
    label: str


@dataclass(frozen=True, slots=True)
class Axis(Generic[Value]):
    """The values of an axis.

    near: expected values.
    far: other values to try, the likeliest first; disjoint from near.
    usual: near values, or the usual ones of many, and the far values that are usual mistakes.
    """

    near: tuple[Choice[Value], ...]
    far: tuple[Choice[Value], ...]
    usual: tuple[Choice[Value], ...] = ()

    @classmethod
    def of(cls, near: Iterable[Choice[Value]], others: Iterable[Choice[Value]]) -> Axis[Value]:
        """An axis with each value once; a value that is in both is near."""
        first = {choice.value: choice for choice in reversed(list(near))}
        rest: dict[Value, Choice[Value]] = {}
        for choice in others:
            if choice.value not in first:
                rest.setdefault(choice.value, choice)
        return cls(tuple(reversed(first.values())), tuple(rest.values()))


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a search.

    axes: those with far values; all others have near values.
    usual: all axes have their usual values instead.
    """

    axes: tuple[str, ...]
    usual: bool = False

    @property
    def words(self) -> str:
        """What is tried, for people."""
        if self.usual:
            return "usual mistakes together"
        return " and ".join(self.axes) or "as it is"


START = Stage(())

USUAL_MISTAKES = Stage((), usual=True)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The axes of a search.

    sev_features: without the default bits of the technology, such as SNPActive.
    possible: technologies that the evidence can belong to; others may be expected, but are not tried.
    """

    vcpus: Axis[int]
    vmm: Axis[VmmProfile]
    sev_features: Axis[int]
    vcpu_signature: Axis[VcpuSignature]
    kernel_hashes: Axis[KernelHashes | None]
    firmware: Axis[FirmwareBuild]
    technology: Axis[str]
    possible: frozenset[str]

    def choices(self, axis: str, stage: Stage) -> tuple[Choice[Any], ...]:
        """The values of an axis in a stage."""
        offered: Axis[Any] = getattr(self, axis)
        chosen = offered.usual if stage.usual else offered.far if axis in stage.axes else offered.near
        return tuple(c for c in chosen if c.value in self.possible) if axis == "technology" else chosen

    def kernels(self, stage: Stage, technology: Technology) -> tuple[Choice[KernelHashes | None], ...]:
        """The kernel hashes of a stage; none alone for a technology that does not measure them."""
        return (
            self.choices("kernel_hashes", stage) if technology.takes_kernel_hashes else (Choice(None, "not measured"),)
        )

    def signatures(self, stage: Stage, vmm: VmmProfile) -> tuple[Choice[VcpuSignature] | None, ...]:
        """The vCPU signatures of a stage; None alone for a profile that does not measure them."""
        if vmm.measures_signature:
            return self.choices("vcpu_signature", stage)
        return () if "vcpu_signature" in stage.axes else (None,)


def measured_axes(technology: str) -> frozenset[str]:
    """The axes that change launch digests of a technology."""
    return technology_named(technology).measured_fields | {"firmware", "technology"}


def feature_choices(usual: Sequence[int], default: int) -> list[Choice[int]]:
    """Every combination of the usual bits, those with the fewest first; labels show the value with default bits."""
    counts = range(len(usual) + 1)
    return [feature_choice(sum(bits), default) for count in counts for bits in combinations(usual, count)]


def feature_choice(extra: int, default: int) -> Choice[int]:
    """A choice of sev_features. extra: without the default bits."""
    return Choice(extra, f"{extra | default:#x}")


def signature_choices(types: VcpuTypes, host: tuple[int, int, int] | None) -> list[Choice[VcpuSignature]]:
    """vCPU signatures: the host's if a report states it, those that have names, and those of EPYC processors."""
    found = []
    if host:
        family, model, stepping = host
        signature = VcpuSignature.of(family=family, model=model, stepping=stepping)
        found.append(Choice(signature, f"{signature} (the host's, as the report says)"))
    found += [signature_choice(signature, types) for signature in dict.fromkeys(types.by_name.values())]
    for (family, model), steppings in _HOSTS:
        for stepping in steppings:
            signature = VcpuSignature.of(family=family, model=model, stepping=stepping)
            found.append(Choice(signature, f"{signature} (a host with -cpu host)"))
    return found


def signature_choice(signature: VcpuSignature, types: VcpuTypes) -> Choice[VcpuSignature]:
    """A choice of a vCPU signature, labelled with its names."""
    names = types.names(signature)
    return Choice(signature, f"{signature} ({', '.join(names[:2])})" if names else str(signature))


def same(one: object, other: object) -> bool:
    """True if two values of an axis give the same digests: builds are compared by their bytes, not by name."""
    if isinstance(one, FirmwareBuild) and isinstance(other, FirmwareBuild):
        return one.component.key == other.component.key
    return one == other


def differing_parts(one: KernelHashes, other: KernelHashes) -> list[str]:
    """Which of kernel, initrd and command line differ between two kernel hashes tables."""
    parts = (("kernel", "kernel"), ("initrd", "initrd"), ("command line", "cmdline"))
    return [what for what, name in parts if getattr(one, name) != getattr(other, name)]


def firmware_choices(near: Sequence[FirmwareBuild], builds: Iterable[FirmwareBuild]) -> list[Choice[FirmwareBuild]]:
    """Builds, those from the packages of near builds first: OVMF.fd and OVMF_CODE.fd are easily confused."""
    packages = {(build.origin.package, build.origin.version) for build in near if build.origin}

    def is_other(build: FirmwareBuild) -> bool:
        return not build.origin or (build.origin.package, build.origin.version) not in packages

    return [Choice(build, build.name) for build in sorted(builds, key=is_other)]
