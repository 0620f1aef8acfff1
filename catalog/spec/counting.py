"""What a spec asks for, counted before any of it is made."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from catalog.errors import UsageError
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import Technology, technologies
from catalog.launch.vmsa_updates import vmsa_page_hashes
from catalog.spec.catalog_spec import NO_KERNEL, Axes, CatalogSpec
from catalog.spec.constraints import Selector, matches
from catalog.spec.cross_product import kept_counts, variants
from catalog.spec.kernel_record import KernelRecord

MAX_ROWS = 200_000_000
"""Rows of a catalog, unless more are asked for."""

Value = TypeVar("Value", bound=Hashable)
Alike = dict[Value, Sequence[Value]]
"""Values that nothing tells apart, by one of them."""


@dataclass(frozen=True, slots=True)
class Count:
    """Rows and sweeps of one technology.

    last: its largest vCPU count; 1 where none is measured. vmsas: different VMSA pages, of BSPs or of APs; 0 likewise.
    """

    rows: int
    sweeps: int
    last: int
    vmsas: int


def count_rows(spec: CatalogSpec) -> dict[str, Count]:
    """What `cross_product` makes of a spec, by technology.

    Of values that neither a constraint nor the technology tells apart one is tried, and counts for all of them: how
    many values an axis has takes neither time nor memory.
    """
    selectors = [selector for rule in spec.constraints for selector in (rule.when, rule.only)]
    return {name: _count(spec, technologies()[name], axes, selectors) for name, axes in spec.axes.items()}


def check_rows(counts: Iterable[Count], most: int) -> None:
    """Raises UsageError for more rows than `most`."""
    rows = sum(count.rows for count in counts)
    if rows > most:
        raise UsageError(
            f"the spec asks for {rows:,} rows, which are more than {most:,}",
            f"list fewer values, or allow them with --max-rows {rows}",
        )


def _count(spec: CatalogSpec, technology: Technology, axes: Axes, selectors: Sequence[Selector]) -> Count:
    images = {build.component.sha256: build for build in spec.builds}  # a constraint never tells their names apart
    tables = {kernel.hashes.table_sha256 if kernel else b"": kernel for kernel in spec.kernels}
    kernels = _alike(tables.values(), lambda kernel: (kernel is None, _named(selectors, kernel)))
    signatures = _alike(axes.vcpu_signatures, _among([selector.vcpu_signatures for selector in selectors]))
    within = _among([selector.sev_features for selector in selectors])
    features = _alike(axes.sev_features, lambda value: (value & technology.judged_features, within(value)))
    counts = _alike(axes.vcpus, _among([selector.vcpus for selector in selectors]))
    few = replace(axes, vcpu_signatures=tuple(signatures), sev_features=tuple(features), vcpus=tuple(counts))
    rows, sweeps, last = 0, 0, 1
    pages: dict[tuple[bytes, bytes], int] = {}
    for build, (kernel, same_kernels) in itertools.product(images.values(), kernels.items()):
        name, hashes = (kernel.name, kernel.hashes) if kernel else (NO_KERNEL, None)
        for sweep in variants(technology, few, build.component, hashes):
            kept = kept_counts(spec, sweep, build.name, name, Counter())
            if not kept or technology.launch_blocker(sweep.config.firmware, sweep.at(sweep.vcpus[0]).point):
                continue
            vmsas = len(signatures[sweep.config.vcpu_signature]) if sweep.config.vcpu_signature else 1
            vmsas *= len(features[sweep.config.sev_features]) if sweep.config.sev_features is not None else 1
            measured = [counts[vcpus] for vcpus in kept if vcpus is not None]
            sweeps += vmsas * len(same_kernels)
            rows += vmsas * len(same_kernels) * (sum(map(len, measured)) if measured else 1)
            last = max([last, *(alike[-1] for alike in measured)])
            point = sweep.at(sweep.vcpus[0]).point
            if isinstance(point, VcpuPoint):
                pages[vmsa_page_hashes(build.component, point)] = vmsas
    return Count(rows, sweeps, last, sum(pages.values()))


def _alike(values: Iterable[Value], key: Callable[[Value], Hashable]) -> Alike[Value]:
    """Values with one key together, in the order given."""
    groups: dict[Hashable, list[Value]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return {group[0]: group for group in groups.values()}


def _among(sets: Iterable[Collection[Any] | None]) -> Callable[[Any], Hashable]:
    """Which of the sets a value is in."""
    given = [found for found in sets if found is not None]
    return lambda value: tuple(value in found for found in given)


def _named(selectors: Iterable[Selector], kernel: KernelRecord | None) -> Hashable:
    """Which selectors name a kernel hashes table."""
    name = kernel.name if kernel else NO_KERNEL
    return tuple(matches(selector.names.get("kernel_hashes", ["*"]), name) for selector in selectors)
