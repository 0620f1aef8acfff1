"""The cross product of a spec, as sweeps in canonical order.

A sweep is a configuration at several vCPU counts; its digests are a chain with one step for each vCPU.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.kernel_record import KernelRecord
from catalog.firmware.launch_image import LaunchImage
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.point import VmmPoint
from catalog.launch.technology import Technology, technologies
from catalog.rows.launch_base import LaunchBase
from catalog.rows.launch_config import LaunchConfig, VcpuSweep
from catalog.spec.catalog_spec import Axes, CatalogSpec
from catalog.spec.constraints import Configuration, Constraint
from catalog.spec.spec_wire import NO_KERNEL

SweepKey = tuple[str, bool, bytes, bytes, str, int, int]

_NO_HASHES = "no kernel hashes are passed with an IGVM file"
_DISTINGUISHED_ONLY = "the spec keeps distinguished digests only"


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """Points of the cross product that are not in the catalog.

    technology, firmware: name of each; of the base, for points that follow from one.
    reason: in words; it is part of the manifest.
    points: how many.
    """

    technology: str
    firmware: str
    reason: str
    points: int


@dataclass(frozen=True, slots=True)
class CrossProduct:
    """Sweeps in canonical order, and the points that were left out."""

    sweeps: tuple[VcpuSweep, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def rows(self) -> int:
        return sum(len(sweep.vcpus) for sweep in self.sweeps)

    def without_rows(self, builds: Sequence[FirmwareBuild]) -> Mapping[str, str]:
        """Builds that have no row, by name, each with the reason for which most of it was left out."""
        launched = {sweep.config.key for sweep in self.sweeps}
        names = {build.name for build in builds if build.component.key not in launched}
        return {one.firmware: one.reason for one in sorted(self.left_out, key=_weight) if one.firmware in names}


def cross_product(spec: CatalogSpec) -> CrossProduct:
    """Every sweep of the spec that can launch, independent of the order of builds and tables in the spec."""
    sweeps: dict[SweepKey, VcpuSweep] = {}
    left_out: Counter[tuple[str, str, str]] = Counter()
    lists: dict[tuple[int | None, ...], tuple[int | None, ...]] = {}  # equal lists of counts are one in memory
    for name, axes in sorted(spec.axes.items()):
        technology = technologies()[name]
        left_out.update({(name, one.firmware, one.reason): one.points for one in _without_vmm(spec, technology, axes)})
        for build, kernel in (
            (each, kernel) for each in spec.builds for kernel in kernels_of(spec, technology, axes, each)
        ):
            hashes = kernel.hashes if kernel else None
            kernel_name = kernel.name if kernel else NO_KERNEL
            rules = rules_of(spec, name, build.name, kernel_name)
            for sweep in variants(technology, axes, build.component, hashes):
                kept = kept_counts(rules, sweep, build.name, left_out)
                if not kept:
                    continue
                if reason := blocker(spec, sweep):
                    left_out[name, build.name, reason] += len(kept)
                else:  # two names for the same bytes give each row only once
                    key = _sort_key(sweep)
                    same = sweeps.get(key)
                    if same and same.vcpus != kept:
                        kept = tuple(sorted({*kept, *same.vcpus}, key=lambda count: count or 0))
                    sweeps[key] = VcpuSweep(sweep.config, lists.setdefault(kept, kept))
    for base, sweep in base_sweeps(spec):
        kept, why = kept_base_counts(spec, base, sweep, left_out)
        if why:
            left_out[sweep.config.technology, base.facts.label, why] += len(kept)
        elif kept:
            sweeps[_sort_key(sweep)] = VcpuSweep(sweep.config, lists.setdefault(kept, kept))
    reasons = tuple(sorted(LeftOut(*why, points) for why, points in left_out.items() if points))
    return CrossProduct(tuple(sweeps[key] for key in sorted(sweeps)), reasons)


def _without_vmm(spec: CatalogSpec, technology: Technology, axes: Axes) -> Iterator[LeftOut]:
    """What no VMM of the spec launches, whatever the bytes of a build are."""
    tables = sum(kernel is not None for kernel in spec.kernels)
    silent = [one.name for one in axes.loaders if one.igvm and one.igvm.kernel_hashes_gpa is None]
    for build in spec.builds:
        if build.is_igvm and not axes.loaders:
            yield LeftOut(technology.name, build.name, "the spec names no loader of IGVM files for it", 1)
        elif build.is_igvm and tables and silent:
            reason = f"{_NO_HASHES} by {', '.join(silent)}"
            yield LeftOut(technology.name, build.name, reason, tables * len(silent))
        elif not build.is_igvm and technology.measures_vmm and not axes.image_vmms:
            yield LeftOut(technology.name, build.name, "the spec names no VMM of firmware images for it", 1)


def kernels_of(
    spec: CatalogSpec, technology: Technology, axes: Axes, build: FirmwareBuild
) -> Sequence[KernelRecord | None]:
    """The kernel hashes tables with which a build is launched: loaders of IGVM files launch them without any, too."""
    if not technology.takes_kernel_hashes:
        return (None,)
    if not build.is_igvm:
        return spec.kernels
    with_hashes = any(one.igvm and one.igvm.kernel_hashes_gpa is not None for one in axes.loaders)
    return (None, *(kernel for kernel in spec.kernels if kernel and with_hashes))


def blocker(spec: CatalogSpec, sweep: VcpuSweep) -> str | None:
    """Why no row of a sweep is in the catalog, or None."""
    if sweep.config.igvm and spec.axes[sweep.config.technology].distinguished_bits:
        return _DISTINGUISHED_ONLY
    return sweep.at(sweep.vcpus[0]).blocker


def variants(
    technology: Technology, axes: Axes, image: LaunchImage, hashes: KernelHashes | None
) -> Iterator[VcpuSweep]:
    """Every sweep of one image and one kernel hashes table, or of one IGVM file, whether it can launch or not."""
    if isinstance(image, IgvmComponent):
        for vmm in axes.loaders:
            if hashes is None or (vmm.igvm and vmm.igvm.kernel_hashes_gpa is not None):
                yield from _igvm_variants(IgvmLaunch(image, technology.name, vmm, hashes), axes)
        return
    if technology.point_type is VmmPoint:
        if hashes is None:
            yield from (VcpuSweep(LaunchConfig(technology.name, image, vmm=vmm), (None,)) for vmm in axes.image_vmms)
        return
    if not technology.measures_vcpus:
        yield VcpuSweep(LaunchConfig(technology.name, image, hashes), (None,))
        return
    for vmm, features in itertools.product(axes.image_vmms, axes.sev_features):
        signatures: Iterable[VcpuSignature | None] = axes.vcpu_signatures if vmm.measures_signature else (None,)
        for signature in signatures:
            config = LaunchConfig(technology.name, image, hashes, vmm, signature, features)
            yield VcpuSweep(config, axes.vcpus)


def _igvm_variants(launch: IgvmLaunch, axes: Axes) -> Iterator[VcpuSweep]:
    """The sweeps of an IGVM file under one loader, which vary what its digest depends on."""
    alone = LaunchConfig(launch.technology, launch.image, launch.kernel_hashes, launch.vmm)
    if launch.blocker or not launch.measures_vcpus:
        yield VcpuSweep(alone, (None,))
        return
    too_few = tuple(count for count in axes.vcpus if launch.vcpus_blocker(count))
    enough = axes.vcpus[len(too_few) :]
    of_contexts = tuple(count for count in enough if not launch.uses_signature(count))
    yield from (VcpuSweep(alone, counts) for counts in (too_few, of_contexts) if counts)
    if others := enough[len(of_contexts) :]:
        yield from (VcpuSweep(replace(alone, vcpu_signature=one), others) for one in axes.vcpu_signatures)


def base_sweeps(spec: CatalogSpec) -> Iterator[tuple[LaunchBase, VcpuSweep]]:
    """The sweep that continues each base, at the counts of the spec above its own; whether it can launch or not.

    Bases with one launch digest have the same facts, and one sweep.
    """
    for base in {base.facts.digest: base for base in spec.bases}.values():
        axes = spec.axes.get(base.facts.technology)
        counts: tuple[int | None, ...] = tuple(n for n in axes.vcpus if n > base.facts.vcpus) if axes else ()
        if counts:
            yield base, VcpuSweep(LaunchConfig.continuing(base), counts)


def kept_base_counts(
    spec: CatalogSpec, base: LaunchBase, sweep: VcpuSweep, left_out: Counter[tuple[str, str, str]]
) -> tuple[tuple[int | None, ...], str | None]:
    """vCPU counts that no constraint takes away, and why no row has them, or None."""
    distinguished = spec.axes[sweep.config.technology].distinguished_bits
    why = _DISTINGUISHED_ONLY if distinguished else base.blocker
    rules = rules_of(spec, sweep.config.technology, None, None)
    return kept_counts(rules, sweep, base.facts.label, left_out), why


def rules_of(spec: CatalogSpec, technology: str, firmware: str | None, kernel: str | None) -> list[Constraint]:
    """What the constraints of a spec ask of configurations with these names; None: not known."""
    names = {"technology": technology, "firmware": firmware, "kernel_hashes": kernel}
    return [rule for constraint in spec.constraints if (rule := constraint.of_names(names))]


def kept_counts(
    rules: Sequence[Constraint], sweep: VcpuSweep, name: str, left_out: Counter[tuple[str, str, str]]
) -> tuple[int | None, ...]:
    """vCPU counts that no constraint takes away. rules: of `rules_of`. name: of the build, or of the base."""
    configuration = Configuration(
        vmm=sweep.config.vmm.name if sweep.config.vmm else None,
        vcpu_signature=sweep.config.vcpu_signature,
        sev_features=sweep.config.sev_features,
    )
    kept = sweep.vcpus
    for rule in rules:
        within = rule.keeps(configuration, kept)
        left_out[sweep.config.technology, name, f"the spec: {rule.text}"] += len(kept) - len(within)
        kept = within
    return kept


def _weight(one: LeftOut) -> tuple[bool, bool, int]:
    """That a file has no platform says less than any other reason, and that it has no row with kernel hashes least."""
    return not one.reason.startswith(_NO_HASHES), "no platform" not in one.reason, one.points


def _sort_key(sweep: VcpuSweep) -> SweepKey:
    """Neighbours share the longest prefix: firmware, kernel hashes, profile, then the VMSA. Bases come last."""
    return (
        sweep.config.technology,
        sweep.config.base is not None,
        sweep.config.key,
        sweep.config.kernel_hashes.table_sha256 if sweep.config.kernel_hashes else b"",
        sweep.config.vmm.name if sweep.config.vmm else "",
        -1 if sweep.config.vcpu_signature is None else sweep.config.vcpu_signature.value,
        -1 if sweep.config.sev_features is None else sweep.config.sev_features,
    )
