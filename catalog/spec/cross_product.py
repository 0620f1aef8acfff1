"""The cross product: a spec becomes families of points, in canonical order.

A family is everything of a configuration but the vCPU count; its digests are a chain, one step a vCPU.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.component import FirmwareComponent
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Technology, technologies
from catalog.spec.catalog_spec import NO_KERNEL, Axes, CatalogSpec
from catalog.spec.constraints import Configuration

FamilyKey = tuple[str, bytes, bytes, str, int, int]


@dataclass(frozen=True, slots=True)
class Family:
    """One configuration of a technology for several vCPU counts, ascending; (None,) where none is measured."""

    technology: str
    firmware: FirmwareComponent
    kernel_hashes: KernelHashes | None
    vmm: VmmProfile | None
    vcpu_signature: VcpuSignature | None
    sev_features: int | None
    vcpus: tuple[int | None, ...]

    def point(self, vcpus: int | None) -> Point:
        """The point of this family with that many vCPUs."""
        if self.vmm is None or self.sev_features is None or vcpus is None:
            return FirmwarePoint(self.kernel_hashes)
        return VcpuPoint(self.kernel_hashes, self.vmm, self.vcpu_signature, self.sev_features, vcpus)


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """Points that are in the cross product and not in the catalog, and why."""

    technology: str
    firmware: str
    reason: str
    points: int


@dataclass(frozen=True, slots=True)
class CrossProduct:
    """Families in canonical order, and what was left out."""

    families: tuple[Family, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def rows(self) -> int:
        return sum(len(family.vcpus) for family in self.families)


def cross_product(spec: CatalogSpec) -> CrossProduct:
    """Every family of the spec that can launch; the order of builds and tables in the spec does not matter."""
    families: dict[FamilyKey, Family] = {}
    left_out: Counter[tuple[str, str, str]] = Counter()
    lists: dict[tuple[int | None, ...], tuple[int | None, ...]] = {}  # equal lists of counts are one in memory
    for name, axes in sorted(spec.axes.items()):
        technology = technologies()[name]
        for build, kernel in itertools.product(spec.builds, spec.kernels):
            hashes = kernel.hashes if kernel else None
            kernel_name = kernel.name if kernel else NO_KERNEL
            for family in variants(technology, axes, build.component, hashes):
                kept = kept_counts(spec, family, build.name, kernel_name, left_out)
                reason = technology.launch_blocker(family.firmware, family.point(family.vcpus[0]))
                if reason:
                    left_out[name, build.name, reason] += len(kept)
                elif kept:  # two names for the same bytes make each row once
                    key = _sort_key(family)
                    same = families.get(key)
                    if same and same.vcpus != kept:
                        kept = tuple(sorted({*kept, *same.vcpus}, key=lambda count: count or 0))
                    families[key] = replace(family, vcpus=lists.setdefault(kept, kept))
    reasons = tuple(sorted(LeftOut(*why, points) for why, points in left_out.items() if points))
    return CrossProduct(tuple(families[key] for key in sorted(families)), reasons)


def variants(
    technology: Technology, axes: Axes, firmware: FirmwareComponent, hashes: KernelHashes | None
) -> Iterator[Family]:
    """Every family of one image and table, whether it can launch or not."""
    if technology.point_type is FirmwarePoint:
        yield Family(technology.name, firmware, hashes, None, None, None, (None,))
        return
    for vmm, features in itertools.product(axes.vmm, axes.sev_features):
        signatures: Iterable[VcpuSignature | None] = axes.vcpu_signatures if vmm.measures_signature else (None,)
        for signature in signatures:
            yield Family(technology.name, firmware, hashes, vmm, signature, features, axes.vcpus)


def kept_counts(
    spec: CatalogSpec, family: Family, build: str, kernel: str, left_out: Counter[tuple[str, str, str]]
) -> tuple[int | None, ...]:
    """vCPU counts that no constraint of the spec takes away."""
    configuration = Configuration(
        technology=family.technology,
        firmware=build,
        kernel_hashes=kernel,
        vmm=family.vmm.name if family.vmm else None,
        vcpu_signature=family.vcpu_signature,
        sev_features=family.sev_features,
    )
    kept = family.vcpus
    for rule in spec.constraints:
        within = rule.keeps(configuration, kept)
        left_out[family.technology, build, f"the spec: {rule.text}"] += len(kept) - len(within)
        kept = within
    return kept


def _sort_key(family: Family) -> FamilyKey:
    """Neighbours share the longest prefix: firmware, kernel hashes, profile, then the VMSA."""
    return (
        family.technology,
        family.firmware.sha256,
        family.kernel_hashes.table_sha256 if family.kernel_hashes else b"",
        family.vmm.name if family.vmm else "",
        -1 if family.vcpu_signature is None else family.vcpu_signature.value,
        -1 if family.sev_features is None else family.sev_features,
    )
