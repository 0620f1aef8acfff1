"""Measures sweeps: each chain from its state before the vCPUs, and chains with the same counts together."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

from catalog.abi.digest import LaunchDigest
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.launch.chain import Digests, VcpuChain
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import Measurer, technologies
from catalog.rows.launch_config import VcpuSweep
from catalog.store.row_records import Batch


def measure_sweeps(sweeps: Sequence[VcpuSweep], numbers: Sequence[int], backend: HashBackend) -> list[Batch]:
    """The digests of sweeps of one technology, in batches with the same vCPU counts.

    sweeps: in canonical order, so that neighbours share what they launch before the vCPUs.
    numbers: those of the sweeps.
    """
    digest_size = technologies()[sweeps[0].config.technology].digest_size
    batches = []
    for places in _alike(sweeps):
        made = _measure([sweeps[at] for at in places], sweeps[places[0]].vcpus, backend)
        batches.append(Batch(b"".join(made), digest_size, [numbers[at] for at in places]))
    return batches


def measure_last(sweeps: Sequence[VcpuSweep], backend: HashBackend) -> list[Digests]:
    """The digest of each sweep of one technology at its last vCPU count. All sweeps have the same counts."""
    made: dict[int, Digests] = {}
    for places in _alike(sweeps):
        some = [sweeps[at] for at in places]
        made |= zip(places, _measure(some, some[0].vcpus[-1:], backend), strict=True)
    return [made[at] for at in range(len(sweeps))]


def measure_row(sweep: VcpuSweep, vcpus: int | None) -> LaunchDigest:
    """The launch digest of one row."""
    return sweep.at(vcpus).digest()


def vcpu_chains(sweeps: Sequence[VcpuSweep]) -> list[VcpuChain]:
    """The chain of each sweep. All are of one technology, and measure vCPUs."""
    technology = technologies()[sweeps[0].config.technology]
    chains: list[VcpuChain] = []
    for firmware, same in itertools.groupby(sweeps, key=lambda sweep: sweep.config.firmware):
        if firmware is None:
            chains += [sweep.config.base.chain for sweep in same if sweep.config.base]
            continue
        if isinstance(firmware, IgvmComponent):
            chains += [launch.chain(sweep.config.vcpu_signature) for sweep in same if (launch := sweep.config.igvm)]
            continue
        measurer = Measurer(technology, firmware)
        points = (sweep.at(sweep.vcpus[0]).point for sweep in same)
        chains += [measurer.chain(point) for point in points if isinstance(point, VcpuPoint)]
    return chains


def _alike(sweeps: Sequence[VcpuSweep]) -> Iterable[list[int]]:
    """The places of sweeps with the same vCPU counts, which begin after the same number of vCPUs."""
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for at, sweep in enumerate(sweeps):
        alike[id(sweep.vcpus), sweep.config.vcpus_before].append(at)  # equal lists are one object
    return alike.values()


def _measure(sweeps: Sequence[VcpuSweep], counts: Sequence[int | None], backend: HashBackend) -> list[Digests]:
    """For each sweep, its digests after each count, one after the other."""
    technology = technologies()[sweeps[0].config.technology]
    if counts[0] is None:
        return [measure_row(sweep, None).value for sweep in sweeps]
    before = sweeps[0].config.vcpus_before
    return technology.fold_chains(vcpu_chains(sweeps), [count - before for count in counts if count], backend)
