"""Hashes that a log lacks are found as in a set, however many shards they are compared in."""

from __future__ import annotations

import random

import pytest

from catalog.audit import leaf_membership as under_test
from catalog.audit.leaf_membership import Missing, leaf_membership
from catalog.build.generation import Spill
from catalog.errors import DiskFull


def hashes(chosen: random.Random, count: int) -> list[bytes]:
    return [chosen.randbytes(32) for _ in range(count)]


@pytest.mark.parametrize("shard", [1 << 17, 64, 1])
@pytest.mark.parametrize("seed", range(4))
def test_as_in_a_set(monkeypatch: pytest.MonkeyPatch, shard: int, seed: int) -> None:
    monkeypatch.setattr(under_test, "_SHARD", shard)
    chosen = random.Random(seed)
    known = hashes(chosen, 300)
    chunks = [
        [*chosen.sample(known, chosen.randrange(20)), *hashes(chosen, chosen.choice((0, 0, 1, 5)))] for _ in range(30)
    ]
    for chunk in chunks:
        chosen.shuffle(chunk)
    expected = []
    for chunk in chunks:
        places = [place for place, one in enumerate(chunk) if one not in known]
        expected.append(Missing(len(places), places[0]) if places else None)
    with leaf_membership(len(known)) as leaves:
        for at in range(0, len(known), 100):
            leaves.add_known(b"".join(known[at : at + 100]))
        numbers = [leaves.ask(b"".join(chunk)) for chunk in chunks]
        found = leaves.missing()
    assert [found.get(number) for number in numbers] == expected
    assert set(found) <= set(numbers)


def test_of_an_empty_log() -> None:
    with leaf_membership(0) as leaves:
        number = leaves.ask(bytes(64))
        leaves.add_known(b"")
        assert leaves.missing() == {number: Missing(2, 0)}


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spill, "add", full)
    with pytest.raises(DiskFull), leaf_membership(1) as leaves:
        leaves.add_known(bytes(32))
