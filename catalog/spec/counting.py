"""Counts the rows of a spec before any of them is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from catalog.errors import UsageError
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.launch.technology import Technology, technologies
from catalog.spec.catalog_spec import Axes, CatalogSpec
from catalog.spec.constraints import Selector, matches
from catalog.spec.cross_product import (
    base_sweeps,
    blocker,
    kept_base_counts,
    kept_counts,
    kernels_of,
    rules_of,
    variants,
)
from catalog.spec.spec_wire import NO_KERNEL

MAX_ROWS = 200_000_000
"""Most rows of a catalog by default."""

Value = TypeVar("Value", bound=Hashable)
Alike = dict[Value, Sequence[Value]]
"""Groups of values that nothing distinguishes, each by one of its values."""


@dataclass(frozen=True, slots=True)
class Count:
    """Size of one technology in a catalog.

    rows, sweeps: how many there are.
    last: largest vCPU count; 1 if none is measured.
    vmsas: number of different VMSA pages of BSPs, or of APs; 0 if none is measured.
    """

    rows: int
    sweeps: int
    last: int
    vmsas: int


def count_rows(spec: CatalogSpec) -> dict[str, Count]:
    """The size of the `cross_product` of a spec, by technology.

    Of values that neither a constraint nor the technology distinguishes, one is tried and counts for all: so time and
    memory do not depend on the number of values of an axis.
    """
    selectors = [selector for rule in spec.constraints for selector in (rule.when, rule.only)]
    return {name: _count(spec, technologies()[name], axes, selectors) for name, axes in spec.axes.items()}


def check_rows(counts: Iterable[Count], most: int) -> None:
    """Raises UsageError if there are more rows than `most`."""
    rows = sum(count.rows for count in counts)
    if rows > most:
        raise UsageError(
            f"the spec asks for {rows:,} rows, which are more than {most:,}",
            f"list fewer values, or allow them with --max-rows {rows}",
        )


def _count(spec: CatalogSpec, technology: Technology, axes: Axes, selectors: Sequence[Selector]) -> Count:
    images = {build.component.key: build for build in spec.builds}  # a constraint never separates their names
    tables = {kernel.hashes.table_sha256 if kernel else b"": kernel for kernel in spec.kernels}
    kernels = _alike(tables.values(), lambda kernel: (kernel is None, _named(selectors, kernel)))
    signatures = _alike(axes.vcpu_signatures, _among([selector.vcpu_signatures for selector in selectors]))
    within = _among([selector.sev_features for selector in selectors])
    features = _alike(axes.sev_features, lambda value: (value & technology.judged_features, within(value)))
    counts = _alike(axes.vcpus, _among([selector.vcpus for selector in selectors]))
    few = replace(axes, vcpu_signatures=tuple(signatures), sev_features=tuple(features), vcpus=tuple(counts))
    each: Alike[int] = {count: (count,) for count in axes.vcpus}
    rows, sweeps, last = 0, 0, 1
    pages: dict[tuple[bytes | None, bytes | None], int] = {}
    for build in images.values():
        # the vCPUs of an IGVM file tell counts apart
        tried, alike = (replace(few, vcpus=axes.vcpus), each) if build.is_igvm else (few, counts)
        for kernel, same_kernels in _kernels(spec, technology, axes, build, kernels):
            name, hashes = (kernel.name, kernel.hashes) if kernel else (NO_KERNEL, None)
            rules = rules_of(spec, technology.name, build.name, name)
            for sweep in variants(technology, tried, build.component, hashes):
                kept = kept_counts(rules, sweep, build.name, Counter())
                if not kept or blocker(spec, sweep):
                    continue
                vmsas = len(signatures[sweep.config.vcpu_signature]) if sweep.config.vcpu_signature else 1
                vmsas *= len(features[sweep.config.sev_features]) if sweep.config.sev_features is not None else 1
                measured = [alike[vcpus] for vcpus in kept if vcpus is not None]
                sweeps += vmsas * len(same_kernels)
                rows += vmsas * len(same_kernels) * (sum(map(len, measured)) if measured else 1)
                last = max([last, *(one[-1] for one in measured)])
                hashes_of_pages = sweep.at(sweep.vcpus[0]).vmsa_page_hashes()
                if hashes_of_pages != (None, None):
                    pages[hashes_of_pages] = vmsas
    for base, sweep in base_sweeps(spec):
        kept, why = kept_base_counts(spec, base, sweep, Counter())
        if sweep.config.technology == technology.name and not why:
            sweeps, rows = sweeps + 1, rows + len(kept)
            last = max([last, *(vcpus for vcpus in kept if vcpus)])
            pages[base.ap_page_hash(), None] = 1
    return Count(rows, sweeps, last, sum(pages.values()))


def _kernels(
    spec: CatalogSpec,
    technology: Technology,
    axes: Axes,
    build: FirmwareBuild,
    kernels: Alike[KernelRecord | None],
) -> Iterable[tuple[KernelRecord | None, Sequence[KernelRecord | None]]]:
    """The groups of kernel hashes tables with which a build is launched."""
    if technology.takes_kernel_hashes and not build.is_igvm:
        return kernels.items()
    wanted = kernels_of(spec, technology, axes, build)
    return [(None, (None,)), *(group for group in kernels.items() if group[0] and group[0] in wanted)]


def _alike(values: Iterable[Value], key: Callable[[Value], Hashable]) -> Alike[Value]:
    """Groups of values with the same key, in the order given."""
    groups: dict[Hashable, list[Value]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return {group[0]: group for group in groups.values()}


def _among(sets: Iterable[Collection[Any] | None]) -> Callable[[Any], Hashable]:
    """A function that tells for a value in which of the sets it is."""
    given = [found for found in sets if found is not None]
    return lambda value: tuple(value in found for found in given)


def _named(selectors: Iterable[Selector], kernel: KernelRecord | None) -> Hashable:
    """For each selector, whether it matches a kernel hashes table."""
    name = kernel.name if kernel else NO_KERNEL
    return tuple(matches(selector.names.get("kernel_hashes", ["*"]), name) for selector in selectors)
