"""Candidate kernels: what may have been passed by -kernel, -initrd and -append."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from catalog.abi.kernel_hashes import NO_INITRD, KernelHashes, hash_cmdline
from catalog.explain.search_space import Choice
from catalog.firmware.kernel_record import KernelRecord


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


def no_kernel() -> Choice[KernelHashes | None]:
    """The choice of no kernel hashes."""
    return Choice(None, "none")


def kernel_choices(kernels: Sequence[Kernel]) -> Iterator[Choice[KernelHashes | None]]:
    """Each kernel; then none; then frequent variants of each kernel."""
    for kernel in kernels:
        yield Choice(kernel.hashes, kernel.label)
    yield no_kernel()
    for kernel in kernels:
        yield from kernel_variants(kernel)


def kernel_variants(kernel: Kernel) -> Iterator[Choice[KernelHashes | None]]:
    """The same kernel with another command line, or without its initrd."""
    lines = list(_command_lines(kernel.append))
    yield from _with_lines(kernel, kernel.hashes.initrd, kernel.label, lines)
    if kernel.hashes.initrd != NO_INITRD:
        bare = f"{kernel.label}, without its initrd"
        yield Choice(KernelHashes(kernel.hashes.kernel, NO_INITRD, kernel.hashes.cmdline), bare)
        yield from _with_lines(kernel, NO_INITRD, bare, lines[:1])


def usual_variants(kernel: Kernel) -> Iterator[Choice[KernelHashes | None]]:
    """As `kernel_variants`, and each command line without the initrd, too."""
    yield from kernel_variants(kernel)
    if kernel.hashes.initrd != NO_INITRD:
        bare = f"{kernel.label}, without its initrd"
        yield from _with_lines(kernel, NO_INITRD, bare, list(_command_lines(kernel.append)))


def _with_lines(
    kernel: Kernel, initrd: bytes, label: str, lines: Sequence[tuple[str, str]]
) -> Iterator[Choice[KernelHashes | None]]:
    for text, what in lines:
        yield Choice(KernelHashes(kernel.hashes.kernel, initrd, hash_cmdline(text)), f"{label}, {what}")


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
