"""Reset addresses: searches the address at which the APs start, if no firmware record names it.

An AP page has the upper half of the address in CS.base and the lower in RIP. Below a given upper half there are 65,536
addresses: each is tried with every VMM profile and named vCPU signature, with the default sev_features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from catalog.abi.page_info import PageType, contents_digest, page_info_tail
from catalog.abi.vmsa_layout import REGISTERS
from catalog.launch.hashing.backends import HashBackend
from catalog.relate.ap_pages import PageForm, page_forms
from catalog.relate.equal_steps import STEPS_AT_ONCE, equal_steps
from catalog.work.engine import Engine
from catalog.work.progress import Progress

UPPER_HALVES = (0x800000, 0)
"""Upper halves that are searched by default: where edk2's OvmfPkg has its reset code in RAM, and the low 64 KiB."""

MOST_SEARCHED = 64
"""How many more vCPUs are tried by default with each unknown reset address."""

_LOWER_HALVES = 1 << 16
_RIP = REGISTERS["rip"][0]


@dataclass(frozen=True, slots=True)
class Stage:
    """AP pages of one form, below one upper half.

    form: of the page at the first address.
    upper_half: that address.
    """

    form: PageForm
    upper_half: int

    def addresses(
        self, digests: Sequence[bytes], most: int, engine: Engine, backend: HashBackend, progress: Progress
    ) -> list[int]:
        """The reset addresses with which a digest becomes another one, ascending.

        most: how many more vCPUs are tried, 1 or more.
        progress: receives the number of extensions.
        """
        at_once = max(1, STEPS_AT_ONCE // (len(digests) * most))
        firsts = range(0, _LOWER_HALVES, at_once)
        tasks = (
            _Task(self.form, range(at, min(at + at_once, _LOWER_HALVES)), tuple(digests), most, backend)
            for at in firsts
        )
        found = set[int]()
        with closing(engine.run(_addresses_of, tasks)) as results:
            for number, lower in results:
                found |= {self.upper_half | one for one in lower}
                progress(len(digests) * most * min(at_once, _LOWER_HALVES - number * at_once))
        return sorted(found)


@dataclass(frozen=True, slots=True)
class _Task:
    """Digests that are extended by the pages of some lower halves."""

    form: PageForm
    lower_halves: range
    digests: tuple[bytes, ...]
    most: int
    backend: HashBackend


def search_stages(upper_halves: Sequence[int]) -> Iterator[Stage]:
    """Every form of an AP page below every upper half, the likeliest form first."""
    by_half = [page_forms(half) for half in upper_halves]
    for forms in zip(*by_half, strict=True):
        for form, half in zip(forms, upper_halves, strict=True):
            yield Stage(form, half)


def count_steps(upper_halves: Sequence[int], digests: int, most: int) -> int:
    """Number of extensions of a whole search."""
    return sum(1 for _ in search_stages(upper_halves)) * _LOWER_HALVES * digests * most


def _addresses_of(task: _Task) -> list[int]:
    page, lower_of = bytearray(task.form.page), {}
    for lower in task.lower_halves:
        page[_RIP : _RIP + 2] = lower.to_bytes(2, "little")
        lower_of[page_info_tail(PageType.VMSA, task.form.gpa, contents_digest(memoryview(page)))] = lower
    chains = [(digest, tail) for tail in lower_of for digest in task.digests]
    steps = equal_steps(chains, task.most, frozenset(task.digests), task.backend)
    return [lower_of[step.tail] for step in steps]
