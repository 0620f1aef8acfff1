"""Passes: which engines hash some SHA-256 chains in the least time.

An engine takes about as long for one chain as for as many as it has lanes. How long differs between processors, so the
compiled code measures itself when that is first needed, in a few milliseconds. No digest depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count, groupby, takewhile

from catalog.launch.hashing.backends import FASTEST, PYTHON, implementation_number, lib, sha256_implementations

_ROUNDS = 3
"""How often an engine is measured; its shortest time counts, because others use the machine, too."""

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
    """How an implementation, or FASTEST, hashes so many chains. Raises ValueError if this processor cannot run it."""
    return plan(_engines_of(implementation), chains)


def for_many(implementation: str) -> str:
    """The implementation that hashes many messages at once; another one only for FASTEST. Raises as above."""
    return _best_for_many(_engines_of(implementation)).implementation


def plan(times: Mapping[LaneEngine, int], chains: int) -> tuple[Passes, ...]:
    """The passes that take the least time. times: what one pass of each engine takes."""
    usual = _best_for_many(times)
    before = max(0, chains - _PLANNED) // usual.lanes
    best: list[tuple[int, list[LaneEngine]]] = [(0, [])]  # for each number of chains
    for some in range(1, chains - before * usual.lanes + 1):
        last = min(times, key=lambda engine: best[max(0, some - engine.lanes)][0] + times[engine])
        taken, used = best[max(0, some - last.lanes)]
        best.append((taken + times[last], [*used, last]))
    used = sorted(best[-1][1], key=lambda engine: -engine.lanes)  # only the last pass has lanes without a chain
    made, first = [], 0
    for engine, same in groupby([*[usual] * before, *used]):
        some = min(len(list(same)) * engine.lanes, chains - first)
        made.append(Passes(engine, first, some))
        first += some
    return tuple(made)


def _best_for_many(times: Mapping[LaneEngine, int]) -> LaneEngine:
    return min(times, key=lambda engine: times[engine] / engine.lanes)


def _engines_of(implementation: str) -> Mapping[LaneEngine, int]:
    found = {engine: taken for engine, taken in _times().items() if implementation in (FASTEST, engine.implementation)}
    if not found:
        raise ValueError("this processor cannot run that implementation")
    return found


@cache
def _times() -> Mapping[LaneEngine, int]:
    """Nanoseconds of a pass of every engine that this processor can run, over the same few pages."""
    numbers = {name: implementation_number(name) for name in sha256_implementations() if name not in (FASTEST, PYTHON)}
    engines = [LaneEngine(name, lanes) for name, number in numbers.items() for lanes in _lanes_of(number)]
    rounds = [
        [int(lib.ldcat_sha256_nanoseconds(numbers[engine.implementation], engine.lanes)) for engine in engines]
        for _ in range(_ROUNDS)  # in turn, because a disturbance lasts
    ]
    return dict(zip(engines, map(min, *rounds), strict=True))


def _lanes_of(implementation: int) -> list[int]:
    return list(takewhile(bool, (lib.ldcat_sha256_lanes(implementation, number) for number in count())))
