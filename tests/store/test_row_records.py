"""Row records: the C code and the Python code split, sort and pack them the same way."""

from __future__ import annotations

import itertools
import random
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.store import row_records
from catalog.store.row_records import Batch, Keying, first_bits, sorted_columns, split


@contextmanager
def in_python() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_records, "lib", None)
        yield


def batches_of(seed: int, digest_size: int, few: bool) -> list[Batch]:
    """Batches of several sweeps and steps. few: many digests are equal or share a prefix."""
    chance = random.Random(seed)
    made, first = [], 0
    for _ in range(chance.randint(1, 3)):
        sweeps, steps = chance.randint(1, 5), chance.randint(1, 6)
        digests = [chance.randbytes(digest_size) for _ in range(sweeps * steps)]
        if few:
            digests = [bytes([chance.choice((0, 255))]) * digest_size for _ in digests]
        made.append(Batch(b"".join(digests), digest_size, range(first, first + sweeps)))
        first += sweeps
    return made


@given(seed=st.integers(0, 2**32), digest_size=st.sampled_from([32, 48]), bits=st.integers(0, 5), few=st.booleans())
def test_c_and_python_give_the_same_columns(seed: int, digest_size: int, bits: int, few: bool) -> None:
    batches = batches_of(seed, digest_size, few)
    shards = [bytes(shard) for shard in split(batches, bits)]
    with in_python():
        assert [sorted(cut(bytes(shard), digest_size)) for shard in split(batches, bits)] == [
            sorted(cut(shard, digest_size)) for shard in shards
        ]
    counts = [count for batch in batches for count in [batch.steps] * len(batch.sweeps)]
    starts = array("Q", [0, *itertools.accumulate(counts)][:-1])
    keying = Keying(starts, bits + random.Random(seed).randint(0, 4), 8, random.Random(seed).randint(2, 5))
    for number, shard in enumerate(shards):
        columns = sorted_columns(shard, digest_size, keying, shard=number, bits=bits)
        with in_python():
            assert sorted_columns(shard, digest_size, keying, shard=number, bits=bits) == columns
        check(columns, shard, digest_size, keying, number, bits)


def cut(shard: bytes, digest_size: int) -> list[bytes]:
    size = digest_size + row_records.NUMBERS_SIZE
    return [shard[at : at + size] for at in range(0, len(shard), size)]


def check(columns: row_records.Columns, shard: bytes, digest_size: int, keying: Keying, number: int, bits: int) -> None:
    """Compares the columns with their description."""
    ordered = sorted(cut(shard, digest_size))
    assert bytes(columns.digests) == b"".join(record[:digest_size] for record in ordered)
    assert all(first_bits(record, bits) == number for record in ordered)
    for row, record in enumerate(ordered):
        sweep, step = columns.sweeps[row], columns.steps[row]
        assert record[digest_size:] == sweep.to_bytes(4, "big") + step.to_bytes(4, "big")
        entry = int.from_bytes(columns.entries[row * keying.entry_size : (row + 1) * keying.entry_size], "big")
        assert entry & ((1 << keying.ordinal_bits) - 1) == keying.starts[sweep] + step
        assert entry >> keying.ordinal_bits == first_bits(record, keying.bucket_bits + keying.digest_bits) & (
            (1 << keying.digest_bits) - 1
        )
    assert sum(columns.buckets) == len(ordered)
    assert len(columns.buckets) == 1 << (keying.bucket_bits - bits)


def test_out_of_memory_raises_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lib:
        @staticmethod
        def ldcat_sorted_columns(*_: object) -> int:
            return 0

    class Ffi:
        @staticmethod
        def from_buffer(*_: object, **__: object) -> None:
            return None

    monkeypatch.setattr(row_records, "lib", Lib)
    monkeypatch.setattr(row_records, "ffi", Ffi)
    with pytest.raises(MemoryError):
        sorted_columns(b"", 32, Keying(array("Q", [0]), 0, 1, 2), shard=0, bits=0)
