"""Passes: which engines hash some SHA-256 chains in the least time.

An engine takes about as long for one chain as for as many as it has lanes. How long differs between processors, so it
is measured when first needed, which takes a few milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count, groupby, takewhile

from catalog.abi.page_info import PAGE_SIZE
from catalog.launch.hashing.backends import FASTEST, PYTHON, ffi, implementation_number, lib, sha256_implementations

_ROUNDS = 3
"""How often an engine is measured; its shortest time counts, because others use the machine, too."""

_VCPUS = 8
"""Pages that an engine hashes when it is measured: 20 to 200 microseconds."""

_PLANNED = 96
"""Chains at the end for which every sequence of engines is compared: two passes of the widest engine."""


@dataclass(frozen=True, slots=True)
class LaneEngine:
    """One way to hash up to `lanes` chains at once."""

    implementation: str
    lanes: int


@dataclass(frozen=True, slots=True)
class Passes:
    """Chains from number `first` on that are hashed by one engine, in as many passes as they need."""

    engine: LaneEngine
    first: int
    chains: int


@lru_cache(maxsize=1024)
def sha256_passes(implementation: str, chains: int) -> tuple[Passes, ...]:
    """How an implementation, or FASTEST, hashes so many chains.

    Raises ValueError if this processor cannot run it.
    """
    return plan(_engines_of(implementation), chains)


def for_many(implementation: str) -> str:
    """The implementation that hashes many messages at once; it is another one only for FASTEST. Raises as above."""
    return _best_for_many(_engines_of(implementation)).implementation


def plan(seconds: Mapping[LaneEngine, float], chains: int) -> tuple[Passes, ...]:
    """The passes that take the least time. seconds: that one pass of each engine takes."""
    best_engine = _best_for_many(seconds)
    before = max(0, chains - _PLANNED) // best_engine.lanes
    best: list[tuple[float, list[LaneEngine]]] = [(0.0, [])]  # for each number of chains
    for some in range(1, chains - before * best_engine.lanes + 1):
        last = min(seconds, key=lambda engine: best[max(0, some - engine.lanes)][0] + seconds[engine])
        taken, used = best[max(0, some - last.lanes)]
        best.append((taken + seconds[last], [*used, last]))
    used = sorted(best[-1][1], key=lambda engine: -engine.lanes)  # only the last pass has lanes without a chain
    made, first = [], 0
    for engine, same in groupby([*[best_engine] * before, *used]):
        some = min(len(list(same)) * engine.lanes, chains - first)
        made.append(Passes(engine, first, some))
        first += some
    return tuple(made)


def _best_for_many(seconds: Mapping[LaneEngine, float]) -> LaneEngine:
    """The engine that takes the least time for many chains."""
    return min(seconds, key=lambda engine: seconds[engine] / engine.lanes)


def _engines_of(implementation: str) -> Mapping[LaneEngine, float]:
    found = {e: taken for e, taken in _seconds().items() if implementation in (FASTEST, e.implementation)}
    if not found:
        raise ValueError("this processor cannot run that implementation")
    return found


@cache
def _seconds() -> Mapping[LaneEngine, float]:
    """Seconds of one pass of every engine that this processor can run."""
    names = [name for name in sha256_implementations() if name not in (FASTEST, PYTHON)]
    engines = [LaneEngine(name, lanes) for name in names for lanes in _lanes_of(implementation_number(name))]
    taken = [[_measured(engine) for engine in engines] for _ in range(_ROUNDS)]  # in turn: a disturbance lasts
    return dict(zip(engines, map(min, *taken), strict=True))


def _lanes_of(implementation: int) -> list[int]:
    return list(takewhile(bool, (lib.ldcat_sha256_lanes(implementation, number) for number in count())))


def _measured(engine: LaneEngine) -> float:
    """Seconds of one pass over a few pages; they do not depend on what is hashed."""
    lanes, zeros = engine.lanes, ffi.from_buffer("uint8_t[]", bytes(PAGE_SIZE * 2))
    numbers, counts = ffi.new("uint32_t[]", lanes), ffi.new("uint32_t[]", [_VCPUS])
    lengths, out = ffi.new("uint64_t[]", lanes), ffi.new("uint8_t[]", 32 * lanes)
    implementation = implementation_number(engine.implementation)
    started = time.perf_counter()
    lib.ldcat_sha256_chains(
        implementation, lanes, lanes, zeros, zeros, lengths, zeros, numbers, numbers, counts, 1, out
    )
    return time.perf_counter() - started
