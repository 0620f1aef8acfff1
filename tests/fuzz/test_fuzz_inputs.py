"""Every input parser, on its seeds and on slightly changed seeds: only LdcatError is raised."""

from __future__ import annotations

import contextlib
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import LdcatError
from tests.fuzz.targets import TARGETS


@cache
def seeds(name: str) -> list[bytes]:
    """Made once, since certificates need keys."""
    return TARGETS[name].seeds()


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """How a seed is changed, at which fraction of its length, and with which bytes."""
    kind = st.sampled_from(["cut", "flip", "insert"])
    one = st.tuples(kind, st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8))
    return draw(st.lists(one, min_size=1, max_size=4))


def changed(seed: bytes, made: list[tuple[str, float, bytes]]) -> bytes:
    data = bytearray(seed)
    for kind, part, new in made:
        at = int(part * len(data))
        if kind == "insert":
            data[at:at] = new
        elif kind == "flip" and data:
            data[at] ^= new[0] or 1
        elif kind == "cut":
            del data[at : at + (new[0] or len(data))]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_accepted(name: str) -> None:
    assert seeds(name)
    for seed in seeds(name):
        TARGETS[name].parse(seed)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data(), made=changes())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])  # `make fuzz` tries thousands
def test_only_ldcat_errors_are_raised(name: str, data: st.DataObject, made: list[tuple[str, float, bytes]]) -> None:
    seed = data.draw(st.integers(0, len(seeds(name)) - 1))
    with contextlib.suppress(LdcatError):
        TARGETS[name].parse(changed(seeds(name)[seed], made))
