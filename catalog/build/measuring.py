"""Measuring families: each chain from its state before the vCPUs, those with the same counts together."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

from catalog.abi.digest import LaunchDigest
from catalog.launch.chain import Digests, VcpuChain
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.point import FirmwarePoint, VcpuPoint
from catalog.launch.technology import Measurer, technologies
from catalog.spec.cross_product import Family
from catalog.store.row_records import Batch


def measure_families(families: Sequence[Family], numbers: Sequence[int], backend: HashBackend) -> list[Batch]:
    """The digests of families of one technology, those with the same vCPU counts together.

    numbers: theirs. Neighbours share what they launch before the vCPUs, so families come in canonical order.
    """
    digest_size = technologies()[families[0].technology].digest_size
    alike: dict[int, list[int]] = defaultdict(list)
    for at, family in enumerate(families):
        alike[id(family.vcpus)].append(at)  # thousands of families share a long list
    batches = []
    for places in alike.values():
        made = _measure([families[at] for at in places], families[places[0]].vcpus, backend)
        batches.append(Batch(b"".join(made), digest_size, [numbers[at] for at in places]))
    return batches


def measure_last(families: Sequence[Family], backend: HashBackend) -> list[Digests]:
    """The digest of each family of one technology at its last vCPU count, which is the same for all."""
    return _measure(families, families[0].vcpus[-1:], backend)


def digest_of(family: Family, vcpus: int | None) -> LaunchDigest:
    """The launch digest of one row."""
    return Measurer(technologies()[family.technology], family.firmware).measure(family.point(vcpus))


def vcpu_chains(families: Sequence[Family]) -> list[VcpuChain]:
    """The chain of each family of one technology that measures vCPUs."""
    technology = technologies()[families[0].technology]
    chains = []
    for firmware, same in itertools.groupby(families, key=lambda family: family.firmware):
        measurer = Measurer(technology, firmware)
        points = (family.point(family.vcpus[0]) for family in same)
        chains += [measurer.chain(point) for point in points if isinstance(point, VcpuPoint)]
    return chains


def _measure(families: Sequence[Family], counts: Sequence[int | None], backend: HashBackend) -> list[Digests]:
    """The digests of each family after each count, one after the other."""
    technology = technologies()[families[0].technology]
    if technology.point_type is FirmwarePoint:
        return [digest_of(family, None).value for family in families]
    return technology.fold_chains(vcpu_chains(families), [count for count in counts if count], backend)
