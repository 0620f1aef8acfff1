"""Search space: what may have been launched instead of the expected configuration, axis by axis, the likeliest first.

Each axis has near values, which are the expected ones or those of the catalog, and far values: all others that occur in
practice or that the user names. A search starts from the near values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Generic, TypeVar

from catalog.abi.kernel_hashes import NO_INITRD, KernelHashes, hash_cmdline
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
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
    """

    near: tuple[Choice[Value], ...]
    far: tuple[Choice[Value], ...]

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

    def choices(self, axis: str, stage: tuple[str, ...]) -> tuple[Choice[Any], ...]:
        """The values of an axis in a stage: far if the axis is one of the stage, else near."""
        offered: Axis[Any] = getattr(self, axis)
        chosen = offered.far if axis in stage else offered.near
        return tuple(c for c in chosen if c.value in self.possible) if axis == "technology" else chosen

    def stages(self, most: int) -> Iterator[tuple[str, ...]]:
        """The stages of a search: sets of axes that have far values, the smallest and likeliest first.

        most: limit for the axes of a stage. Left out are axes without far values, and stages in which no technology
        measures all axes.
        """
        able = [name for name in AXES if getattr(self, name).far]
        for count in range(most + 1):
            yield from filter(self._is_measured, combinations(able, count))

    def _is_measured(self, stage: tuple[str, ...]) -> bool:
        technologies = self.technology.far if "technology" in stage else self.technology.near
        return not technologies or any(set(stage) <= measured_axes(choice.value) for choice in technologies)


@dataclass(frozen=True, slots=True)
class Kernel:
    """What was passed by -kernel, -initrd and -append.

    label: for people.
    hashes: kernel hashes.
    append: None if only its hash is known.
    """

    label: str
    hashes: KernelHashes
    append: str | None


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


def no_kernel() -> Choice[KernelHashes | None]:
    """The choice of no kernel hashes."""
    return Choice(None, "none")


def kernel_choices(kernels: Sequence[Kernel]) -> Iterator[Choice[KernelHashes | None]]:
    """Each kernel; then none; then frequent variants of each kernel."""
    for kernel in kernels:
        yield Choice(kernel.hashes, kernel.label)
    yield no_kernel()
    for kernel in kernels:
        yield from _variants(kernel)


def _variants(kernel: Kernel) -> Iterator[Choice[KernelHashes | None]]:
    """The same kernel with another command line, or without its initrd."""
    hashes = kernel.hashes
    for text, what in _command_lines(kernel.append):
        changed = KernelHashes(hashes.kernel, hashes.initrd, hash_cmdline(text))
        yield Choice(changed, f"{kernel.label}, {what}")
    if hashes.initrd != NO_INITRD:
        yield Choice(KernelHashes(hashes.kernel, NO_INITRD, hashes.cmdline), f"{kernel.label}, without its initrd")
        bare = KernelHashes(hashes.kernel, NO_INITRD, hash_cmdline(None))
        yield Choice(bare, f"{kernel.label}, the kernel alone")


def _command_lines(append: str | None) -> Iterator[tuple[str, str]]:
    """Frequent variants of a command line, made by files, shells and tools that trim."""
    yield "", "without a command line"
    if not append:
        return
    yield append + "\n", "the command line with a newline at the end"
    yield append + " ", "the command line with a space at the end"
    yield " " + append, "the command line with a blank before it"
    yield append.strip(), "the command line without blanks around it"
    yield " ".join(append.split()), "the command line with single blanks"
    yield f'"{append}"', "the command line in double quotes"
    yield f"'{append}'", "the command line in single quotes"
    yield append.replace('"', "").replace("'", ""), "the command line without quotes"


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """What the user says may have been passed.

    kernels, initrds: SHA-256 by name.
    appends: command lines.
    """

    kernels: Mapping[str, bytes]
    initrds: Mapping[str, bytes]
    appends: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.kernels or self.initrds or self.appends)

    def together(self) -> list[Kernel]:
        """Every combination of the files; empty without a kernel."""
        return _combined(self.kernels, [*self.initrds.items(), None], list(self.appends) or [""])

    def with_parts_of(self, bases: Sequence[Kernel]) -> list[Kernel]:
        """Known kernels with some parts replaced by the files, as after an update or a mix-up."""
        if not self:
            return []
        found = []
        for base in bases:
            mine = (base.hashes.kernel, base.hashes.initrd, base.hashes.cmdline)
            kernels = [(f"{name} in place of the kernel", sha256) for name, sha256 in self.kernels.items()]
            initrds = [(f"{name} in place of the initrd", sha256) for name, sha256 in self.initrds.items()]
            lines = [(f"the command line {text!r}", hash_cmdline(text), text) for text in self.appends]
            for kernel, initrd, line in product([None, *kernels], [None, *initrds], [None, *lines]):
                changed = [part[0] for part in (kernel, initrd, line) if part]
                hashes = KernelHashes(
                    kernel[1] if kernel else mine[0], initrd[1] if initrd else mine[1], line[1] if line else mine[2]
                )
                if changed:
                    append = line[2] if line else base.append
                    found.append(Kernel(f"{base.label} with {', '.join(changed)}", hashes, append))
        return found


def same(one: object, other: object) -> bool:
    """True if two values of an axis give the same digests: builds are compared by their bytes, not by name."""
    if isinstance(one, FirmwareBuild) and isinstance(other, FirmwareBuild):
        return one.component.key == other.component.key
    return one == other


def differing_parts(one: KernelHashes, other: KernelHashes) -> list[str]:
    """Which of kernel, initrd and command line differ between two kernel hashes tables."""
    parts = (("kernel", "kernel"), ("initrd", "initrd"), ("command line", "cmdline"))
    return [what for what, name in parts if getattr(one, name) != getattr(other, name)]


def _combined(
    kernels: Mapping[str, bytes], initrds: Sequence[tuple[str, bytes] | None], appends: Sequence[str]
) -> list[Kernel]:
    found = []
    for (name, kernel), initrd, append in product(kernels.items(), initrds, appends):
        label = f"{name} with {initrd[0]}" if initrd else f"{name} without initrd"
        label += f" and {append!r}" if append else ""
        found.append(
            Kernel(label, KernelHashes.of(kernel=kernel, initrd=initrd[1] if initrd else None, append=append), append)
        )
    return found


def kernel_of_record(record: KernelRecord) -> Kernel:
    """The kernel of an embedded record."""
    return Kernel(record.name, record.hashes, record.append)


def firmware_choices(near: Sequence[FirmwareBuild], builds: Iterable[FirmwareBuild]) -> list[Choice[FirmwareBuild]]:
    """Builds, those from the packages of near builds first: OVMF.fd and OVMF_CODE.fd are easily confused."""
    packages = {(build.origin.package, build.origin.version) for build in near if build.origin}

    def is_other(build: FirmwareBuild) -> bool:
        return not build.origin or (build.origin.package, build.origin.version) not in packages

    return [Choice(build, build.name) for build in sorted(builds, key=is_other)]
