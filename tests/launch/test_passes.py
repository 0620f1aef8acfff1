"""Which engines hash how many SHA-256 chains: every chain once, and in as little time as any sequence of passes."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.launch.hashing import passes
from catalog.launch.hashing.backends import FASTEST, PYTHON, sha256_implementations
from catalog.launch.hashing.passes import LaneEngine, for_many, plan, sha256_passes

NARROW, HALF, WIDE = LaneEngine("sha-ni", 6), LaneEngine("avx512", 16), LaneEngine("avx512", 48)
SHA256 = [name for name in sha256_implementations() if name != PYTHON]


def least(each_pass: dict[LaneEngine, int], chains: int) -> int:
    @cache
    def of(rest: int) -> int:
        return min(taken + of(max(0, rest - engine.lanes)) for engine, taken in each_pass.items()) if rest else 0

    return of(chains)


@given(
    times=st.dictionaries(st.integers(1, 48), st.integers(1, 1000), min_size=1, max_size=5),
    chains=st.integers(0, 200),
)
def test_each_chain_is_hashed_once_in_the_least_time(times: dict[int, int], chains: int) -> None:
    each_pass = {LaneEngine("any", lanes): taken for lanes, taken in times.items()}
    made = plan(each_pass, chains)
    assert [some.first for some in made] == [sum(each.chains for each in made[:at]) for at in range(len(made))]
    assert sum(some.chains for some in made) == chains
    taken = sum(each_pass[some.engine] * -(-some.chains // some.engine.lanes) for some in made)
    if chains <= 96:
        assert taken == least(each_pass, chains)


@pytest.mark.parametrize(
    ("chains", "expected"),
    [
        (1, [(NARROW, 1)]),
        (5, [(NARROW, 5)]),
        (16, [(HALF, 16)]),
        (54, [(WIDE, 48), (NARROW, 6)]),
        (240, [(WIDE, 240)]),
        (10_000, [(WIDE, 9_984), (HALF, 16)]),
    ],
)
def test_few_chains_take_few_lanes(chains: int, expected: list[tuple[LaneEngine, int]]) -> None:
    made = plan({NARROW: 6, HALF: 10, WIDE: 15}, chains)
    assert [(some.engine, some.chains) for some in made] == expected


@pytest.mark.parametrize("name", SHA256)
def test_every_implementation_hashes_any_number_of_chains(name: str) -> None:
    for kept in (sha256_passes, passes._times):  # by what ran before
        kept.cache_clear()
    for chains in (1, 5, 32, 240):
        made = sha256_passes(name, chains)
        assert sum(some.chains for some in made) == chains
        assert name in {FASTEST, *(some.engine.implementation for some in made)}
    assert for_many(name) == name or name == FASTEST
    assert for_many(name) in SHA256


def test_an_implementation_that_this_processor_lacks_hashes_nothing() -> None:
    if SHA256:
        with pytest.raises(ValueError, match="cannot run that implementation"):
            sha256_passes("amx", 1)
