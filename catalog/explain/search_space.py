"""Space: what may have been launched instead of what was expected, one axis at a time, the likeliest first.

Each axis has what is near, which is what is expected or what the catalog has, and what is far: everything else that
occurs in the field or that the user names. A search goes outward from what is near.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Generic, TypeVar

from catalog.abi.kernel_hashes import NO_INITRD, KernelHashes, hash_cmdline
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.launch.vcpu_types import VcpuTypes
from catalog.spec.kernel_record import KernelRecord

Value = TypeVar("Value")

AXES = ("vcpus", "vmm", "sev_features", "vcpu_signature", "kernel_hashes", "firmware", "technology")
"""In the order in which they are likely to be what differs."""

MAX_COUNT = 1024
"""vCPUs that are tried, from 1 on."""

_HOSTS = (
    ((0x17, 0x01), range(1, 3)),
    ((0x17, 0x31), range(2)),
    ((0x19, 0x01), range(3)),
    ((0x19, 0x11), range(3)),
    ((0x19, 0xA0), range(3)),
    ((0x1A, 0x02), range(3)),
    ((0x1A, 0x11), range(2)),
)
"""Family and model, and steppings, of EPYC processors: what -cpu host gives a guest. From Naples to Turin Dense."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[Value]):
    """A value of an axis, and what people call it."""

    value: Value
    label: str


@dataclass(frozen=True, slots=True)
class Axis(Generic[Value]):
    """near: what is expected. far: what else is tried, the likeliest first; nothing of it is near."""

    near: tuple[Choice[Value], ...]
    far: tuple[Choice[Value], ...]

    @classmethod
    def of(cls, near: Iterable[Choice[Value]], others: Iterable[Choice[Value]]) -> Axis[Value]:
        """Each value once; near where it is both."""
        first = {choice.value: choice for choice in reversed(list(near))}
        rest: dict[Value, Choice[Value]] = {}
        for choice in others:
            if choice.value not in first:
                rest.setdefault(choice.value, choice)
        return cls(tuple(reversed(first.values())), tuple(rest.values()))


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The axes. sev_features are without the default of the technology, such as SNPActive.

    possible: technologies whose digests it can be; another one may be expected, and is not tried.
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
        """What an axis offers where those of a stage differ from what is near."""
        offered: Axis[Any] = getattr(self, axis)
        chosen = offered.far if axis in stage else offered.near
        return tuple(c for c in chosen if c.value in self.possible) if axis == "technology" else chosen

    def stages(self, most: int) -> Iterator[tuple[str, ...]]:
        """Which axes differ from what is near: none, each one, each two, and so on, the likeliest first.

        most: axes, at most. Axes that have nothing far are left out, and stages in which no technology measures all
        axes that differ.
        """
        able = [name for name in AXES if getattr(self, name).far]
        for count in range(most + 1):
            yield from filter(self._is_measured, combinations(able, count))

    def _is_measured(self, stage: tuple[str, ...]) -> bool:
        technologies = self.technology.far if "technology" in stage else self.technology.near
        return not technologies or any(set(stage) <= measured_axes(choice.value) for choice in technologies)


@dataclass(frozen=True, slots=True)
class Kernel:
    """What was passed by -kernel, -initrd and -append. append: None where its hash alone is known."""

    label: str
    hashes: KernelHashes
    append: str | None


def measured_axes(technology: str) -> frozenset[str]:
    """The axes on which launches of a technology differ in their digests."""
    return technology_named(technology).measured_fields | {"firmware", "technology"}


def feature_choices(usual: Sequence[int], default: int) -> list[Choice[int]]:
    """Every combination of the bits seen in the field, the fewest first; labels are of the whole number."""
    counts = range(len(usual) + 1)
    return [feature_choice(sum(bits), default) for count in counts for bits in combinations(usual, count)]


def feature_choice(extra: int, default: int) -> Choice[int]:
    """sev_features without those that the technology has by default, as a choice."""
    return Choice(extra, f"{extra | default:#x}")


def signature_choices(types: VcpuTypes, host: tuple[int, int, int] | None) -> list[Choice[VcpuSignature]]:
    """That of the host where a report says it, those that have names, and those of EPYC processors."""
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
    """A signature with its names."""
    names = types.names(signature)
    return Choice(signature, f"{signature} ({', '.join(names[:2])})" if names else str(signature))


def no_kernel() -> Choice[KernelHashes | None]:
    """The launch that measures no kernel."""
    return Choice(None, "none")


def kernel_choices(kernels: Sequence[Kernel]) -> Iterator[Choice[KernelHashes | None]]:
    """Each kernel as it is; then none; then what is often passed or hashed instead of it."""
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
    """What becomes of a command line on its way: through files, shells and tools that trim."""
    yield "", "without a command line"
    if not append:
        return
    yield append + "\n", "the command line with a newline at the end"
    yield append + " ", "the command line with a blank at the end"
    yield " " + append, "the command line with a blank before it"
    yield append.strip(), "the command line without blanks around it"
    yield " ".join(append.split()), "the command line with single blanks"
    yield f'"{append}"', "the command line in double quotes"
    yield f"'{append}'", "the command line in single quotes"
    yield append.replace('"', "").replace("'", ""), "the command line without quotes"


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """What the user says that may have been passed: SHA-256 of kernels and initrds by name, and command lines."""

    kernels: Mapping[str, bytes]
    initrds: Mapping[str, bytes]
    appends: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.kernels or self.initrds or self.appends)

    def together(self) -> list[Kernel]:
        """Every combination of them alone; none without a kernel."""
        return _combined(self.kernels, [*self.initrds.items(), None], list(self.appends) or [""])

    def with_parts_of(self, bases: Sequence[Kernel]) -> list[Kernel]:
        """Each of them in place of a part of kernels that are known: what was updated, or mixed up."""
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
    """Whether two values of an axis are measured alike: builds with the same bytes are, whatever their names."""
    if isinstance(one, FirmwareBuild) and isinstance(other, FirmwareBuild):
        return one.component.sha256 == other.component.sha256
    return one == other


def differing_parts(one: KernelHashes, other: KernelHashes) -> list[str]:
    """Which of the three two kernel hashes tables do not share."""
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
    """A catalogued kernel."""
    return Kernel(record.name, record.hashes, record.append)


def firmware_choices(near: Sequence[FirmwareBuild], builds: Iterable[FirmwareBuild]) -> list[Choice[FirmwareBuild]]:
    """Builds, those of the packages of what is near first: OVMF.fd and OVMF_CODE.fd of one package are confused."""
    packages = {(build.origin.package, build.origin.version) for build in near if build.origin}

    def is_other(build: FirmwareBuild) -> bool:
        return not build.origin or (build.origin.package, build.origin.version) not in packages

    return [Choice(build, build.name) for build in sorted(builds, key=is_other)]
