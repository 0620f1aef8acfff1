"""Usual mistakes: the few values of each axis that are tried together, however many axes are wrong at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from catalog.abi.vcpu import VcpuSignature
from catalog.explain.candidate_kernels import Kernel, no_kernel, usual_variants
from catalog.explain.search_space import Axis, Choice, SearchSpace
from catalog.firmware.build import FirmwareBuild

Value = TypeVar("Value")

USUAL_COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""vCPU counts that are launched often."""

_MOST_KERNELS = 16
"""Kernels with parts in place of others that are tried, with their variants."""


def with_usual_mistakes(
    space: SearchSpace,
    *,
    bases: Sequence[Kernel],
    replaced: Sequence[Kernel],
    given: Sequence[FirmwareBuild],
    named: Iterable[VcpuSignature],
) -> SearchSpace:
    """The space with the usual values of each axis.

    bases: expected kernels.
    replaced: the same with parts that the user gave.
    given: builds that the user gave.
    named: vCPU signatures that are usual.
    """
    variants = [choice for kernel in bases for choice in usual_variants(kernel)]
    for kernel in islice(replaced, _MOST_KERNELS):
        variants += [Choice(kernel.hashes, kernel.label), *usual_variants(kernel)]
    features = {choice.value for choice in space.sev_features.near}
    signatures, keys = set(named), {build.component.key for build in given}
    return replace(
        space,
        vcpus=replace(space.vcpus, usual=_counts(space.vcpus)),
        vmm=_usual(space.vmm, space.vmm.far),
        sev_features=_usual(
            space.sev_features, (one for one in space.sev_features.far if _one_bit(one.value, {0, *features}))
        ),
        vcpu_signature=_usual(
            space.vcpu_signature, (one for one in space.vcpu_signature.far if one.value in signatures)
        ),
        kernel_hashes=_usual(space.kernel_hashes, Axis.of(space.kernel_hashes.near, [no_kernel(), *variants]).far),
        firmware=_usual(
            space.firmware,
            (
                one
                for one in space.firmware.far
                if one.value.component.key in keys or _published_together(one.value, space.firmware.near)
            ),
        ),
        technology=_usual(space.technology, space.technology.far),
    )


def _usual(axis: Axis[Value], mistakes: Iterable[Choice[Value]]) -> Axis[Value]:
    """The axis with its near values and some mistakes, none of which is near, as the usual ones."""
    return replace(axis, usual=(*axis.near, *mistakes))


def _counts(axis: Axis[int]) -> tuple[Choice[int], ...]:
    """The expected count, one more and one fewer, and counts that are usual; of many expected ones the usual ones."""
    near = [choice.value for choice in axis.near]
    wanted = set(USUAL_COUNTS)
    if len(near) == 1:
        wanted |= {near[0] - 1, near[0], near[0] + 1}
    return tuple(choice for choice in (*axis.near, *axis.far) if choice.value in wanted)


def _one_bit(value: int, others: set[int]) -> bool:
    """True if a value differs from one of the others in one bit, or in none."""
    return any((value ^ other).bit_count() <= 1 for other in others)


def _published_together(build: FirmwareBuild, near: Sequence[Choice[FirmwareBuild]]) -> bool:
    """True for a build of the same package as an expected one, or of the same source in the same suite."""
    mine = build.origin
    if mine is None or mine.version is None:
        return False
    for choice in near:
        other = choice.value.origin
        if other and other.version == mine.version and (mine.package == other.package or mine.suite == other.suite):
            return True
    return False
