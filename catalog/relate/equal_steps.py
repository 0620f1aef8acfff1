"""Equal steps: extends launch digests by AP pages, many side by side, and sees which other digests come up.

For each start and page all digests up to `most` vCPUs more are computed once and looked up in a set: no two digests are
compared with each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.abi.digest import SNP_DIGEST_SIZE
from catalog.abi.page_info import fold
from catalog.launch.chain import Digests
from catalog.launch.hashing.backends import PYTHON, HashBackend
from catalog.launch.hashing.compiled import sha384_chains
from catalog.work.progress import Progress

if TYPE_CHECKING:  # it loads multiprocessing
    from catalog.work.engine import Engine

STEPS_AT_ONCE = 1 << 19
"""Steps that are kept in memory at a time, approximately: 24 MiB of digests."""


@dataclass(frozen=True, slots=True)
class Step:
    """A launch digest is another one with more vCPUs.

    smaller, larger: the two digests, 48 bytes each.
    more: how many vCPUs more.
    tail: of the AP page, 64 bytes: PAGE_INFO after the digest.
    """

    smaller: bytes
    larger: bytes
    more: int
    tail: bytes


@dataclass(frozen=True, slots=True)
class _Task:
    """Digests, and some pages by which all of them are extended."""

    digests: tuple[bytes, ...]
    tails: tuple[bytes, ...]
    most: int
    backend: HashBackend


def steps_between(
    digests: Sequence[bytes],
    tails: Sequence[bytes],
    most: int,
    engine: Engine,
    backend: HashBackend,
    progress: Progress,
) -> list[Step]:
    """For each digest and AP page the step to the nearest of the other digests, if one is reached.

    tails: of the pages, 64 bytes each.
    most: how many more vCPUs are tried, 1 or more.
    progress: receives the number of extensions.
    """
    at_once = max(1, STEPS_AT_ONCE // (len(digests) * most))
    batches = [tuple(tails[at : at + at_once]) for at in range(0, len(tails), at_once)]
    tasks = (_Task(tuple(digests), batch, most, backend) for batch in batches)
    found = []
    with closing(engine.run(_steps_of, tasks)) as results:
        for number, steps in results:
            found += steps
            progress(len(digests) * most * len(batches[number]))
    return found


def _steps_of(task: _Task) -> list[Step]:
    chains = [(digest, tail) for tail in task.tails for digest in task.digests]
    return equal_steps(chains, task.most, frozenset(task.digests), task.backend)


def equal_steps(
    chains: Sequence[tuple[bytes, bytes]], most: int, wanted: Collection[bytes], backend: HashBackend
) -> list[Step]:
    """For each chain the step to the nearest wanted digest, if one is reached.

    chains: a launch digest, 48 bytes, and the tail of the AP page that extends it, 64 bytes.
    most: how many more vCPUs are tried, 1 or more.
    wanted: launch digests.
    """
    words = {_first_word(digest) for digest in wanted}
    chains_at_once = max(1, STEPS_AT_ONCE // most)
    found = []
    for at in range(0, len(chains), chains_at_once):
        some = chains[at : at + chains_at_once]
        digests = memoryview(extended(some, most, backend))
        firsts = digests.cast("Q")[:: SNP_DIGEST_SIZE // 8]
        if words.isdisjoint(firsts):
            continue
        met = set[int]()
        for number, word in enumerate(firsts):
            chain, before = divmod(number, most)
            if word not in words or chain in met:
                continue
            digest = bytes(digests[SNP_DIGEST_SIZE * number : SNP_DIGEST_SIZE * (number + 1)])
            if digest in wanted:
                met.add(chain)
                start, tail = some[chain]
                found.append(Step(start, digest, before + 1, tail))
    return found


def extended(chains: Sequence[tuple[bytes, bytes]], most: int, backend: HashBackend) -> Digests:
    """Each start extended 1 to `most` times by the page with the tail beside it: 48 bytes each, chain by chain."""
    if backend.sha384 != PYTHON:
        starts, tails = zip(*chains, strict=True)
        return sha384_chains(backend.sha384, starts, tails, tails, range(1, most + 1))
    digests = []
    for digest, tail in chains:
        state = digest
        for _ in range(most):
            state = fold(state, tail)
            digests.append(state)
    return b"".join(digests)


def _first_word(digest: bytes) -> int:
    return memoryview(digest).cast("Q")[0]
