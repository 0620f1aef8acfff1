"""Distinguished points: from a chain too long to store, the digests whose last bits are zero; the others lead to them.

These are van Oorschot-Wiener distinguished points ("Parallel collision search", Journal of Cryptology 12, 1999).
An SNP launch digest is the state from which the launch continues: from any digest one can add VMSA after VMSA until a
distinguished digest appears, and look that up. Each chain is stored up to its first distinguished digest at or past its
last vCPU count, so every digest before leads to a stored one. A SEV-ES digest is not the state, so this is impossible.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from catalog.build.measuring import vcpu_chains
from catalog.errors import LdcatError
from catalog.launch.chain import VcpuChain
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.technology import Technology, technologies
from catalog.rows.launch_config import VcpuSweep
from catalog.store.row_records import NUMBERS_SIZE, Buffer, first_bits, with_zero_bits

_AT_ONCE = 256
"""Steps by which chains are extended at a time, before finished chains drop out."""

REACH = 64
"""A chain is extended by at most REACH * 2**bits steps past its last vCPU count.

A chain has no distinguished digest by then with probability e**-64.
"""


def chain_length(sweeps: Sequence[VcpuSweep], bits: int) -> int:
    """Ordinals that an index reserves for each chain."""
    return chain_steps(max((sweep.vcpus[-1] or 0 for sweep in sweeps), default=0), bits)


def chain_steps(last: int, bits: int) -> int:
    """As `chain_length`. last: the largest vCPU count."""
    return last + (REACH << bits)


def distinguished_records(
    sweeps: Sequence[VcpuSweep], numbers: Sequence[int], bits: int, shard_bits: int, backend: HashBackend
) -> list[Buffer]:
    """Records, by shard, of the distinguished digests of some sweeps. A step is the vCPU count minus one.

    numbers: those of the sweeps.
    bits: zero bits at the end of a distinguished digest.
    shard_bits: bits of a shard's number.
    """
    technology = technologies()[sweeps[0].config.technology]
    shards: list[list[bytes]] = [[] for _ in range(1 << shard_bits)]
    by_last: dict[int, list[int]] = defaultdict(list)
    for at, sweep in enumerate(sweeps):
        by_last[sweep.vcpus[-1] or 0].append(at)
    for last, places in by_last.items():
        chains = vcpu_chains([sweeps[at] for at in places])
        for at, step, digest in _points(technology, dict(zip(places, chains, strict=True)), last, bits, backend):
            record = digest + (numbers[at] << 32 | step).to_bytes(NUMBERS_SIZE, "big")
            shards[first_bits(digest, shard_bits)].append(record)
    return [b"".join(records) for records in shards]


def _points(
    technology: Technology, chains: dict[int, VcpuChain], last: int, bits: int, backend: HashBackend
) -> Iterator[tuple[int, int, bytes]]:
    """The distinguished digests of each chain up to `last` vCPUs, and the first one at or after that.

    Gives key of the chain, step, digest.
    """
    size, walked, steps = technology.digest_size, 0, last
    while chains:
        made = technology.fold_chains(list(chains.values()), range(1, steps + 1), backend)
        further: dict[int, VcpuChain] = {}
        for (at, chain), made_digests in zip(chains.items(), made, strict=True):
            digests = bytes(made_digests)
            found = with_zero_bits(digests, size, bits)
            for step in found if not walked else found[:1]:
                yield at, walked + step, digests[step * size : (step + 1) * size]
            ends_there = bool(found) and (walked > 0 or found[-1] == steps - 1)
            if not ends_there:
                further[at] = VcpuChain(digests[-size:], chain.ap, chain.ap)
        chains, walked, steps = further, walked + steps, min(1 << bits, _AT_ONCE)
        if walked > last + (REACH << bits):
            raise LdcatError(f"no digest of {REACH << bits} in a row ends with {bits} zero bits")
