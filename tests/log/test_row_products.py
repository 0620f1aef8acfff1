"""Products of rows: the same in any order, others for other rows, and the same by compiled code as in Python."""

from __future__ import annotations

from array import array
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.log.leaves import leaf_code
from catalog.log.leaves.packed_rows import KNOWN, ROW, pack_rows, row_bits, unpack_rows
from catalog.log.leaves.row_products import PRIME, RowProducts, rows_of
from tests.support.log_rows import CODE
from tests.support.strategies import seeded

GROUPS = 5
KEYS = st.sampled_from([0, 1, (1 << 64) - 1, 1 << 64, PRIME - 1]) | st.integers(0, PRIME - 1)
Row = tuple[bytes, int, int, bool]


def some_rows(random: Random) -> list[Row]:
    """Up to 12: a digest, a group, a vCPU count or -1, and whether the log has it."""
    return [
        (
            b"".join(some_word(random).to_bytes(8, "big") for _ in range(6)),
            random.randrange(GROUPS),
            random.choice([-1, 0, 65535, random.randint(-1, 65535)]),
            bool(random.getrandbits(1)),
        )
        for _ in range(random.randint(0, 12))
    ]


def some_word(random: Random) -> int:
    return random.choice([0, 1, (1 << 64) - 1, 1 << 63, random.getrandbits(64), random.getrandbits(64)])


ROWS = seeded(some_rows)


def packed(rows: list[Row]) -> bytes:
    numbers, out = array("I", range(GROUPS)), b""
    for digest, group, vcpus, known in rows:
        bits = array("I", [row_bits(48, known=known)] * GROUPS)
        out += pack_rows(digest, array("i", [vcpus]), array("I", [group]), numbers, bits)
    return out


def product(rows: list[Row], group: int, key: tuple[int, int]) -> int:
    """The definition, by the words of a row."""
    made = 1
    for row in rows:
        if row[1] == group:
            (data,) = [packed([(*row[:3], False)])]
            words = memoryview(data).cast("Q")
            value = sum(word * pow(key[0], 6 - at, PRIME) for at, word in enumerate(words))
            made = made * (key[1] - value) % PRIME
    return made


@given(ROWS, KEYS, KEYS, st.integers(0, 12))
def test_products_are_as_defined(rows: list[Row], step: int, start: int, cut: int) -> None:
    for lib in CODE:
        with (
            patch.object(leaf_code, "lib", lib),
            patch("secrets.randbelow", side_effect=[step, start]),
        ):
            found = RowProducts()
            found.add(packed(rows[:cut]), GROUPS)
            found.add(packed(rows[cut:]), GROUPS)
            assert [found[group] for group in range(GROUPS)] == [
                product(rows, group, (step, start)) for group in range(GROUPS)
            ]
            assert found[GROUPS] == 1
            parts = [RowProducts(like=found) for _ in range(3)]
            parts[1].add(packed(rows[:cut]), GROUPS)
            parts[2].add(packed(rows[cut:]), GROUPS + 1)
            parts[0].multiply(parts[1])
            parts[0].multiply(parts[2])
            assert [parts[0][group] for group in range(GROUPS + 2)] == [found[group] for group in range(GROUPS + 2)]


@pytest.mark.parametrize("lib", CODE)
@given(ROWS, st.randoms(), st.data())
def test_groups_differ_if_their_rows_do(lib: object, rows: list[Row], random: Random, data: st.DataObject) -> None:
    others = [(*row[:3], not row[3]) for row in rows]
    random.shuffle(others)
    expected = set[int]()
    for at in data.draw(st.sets(st.integers(0, len(rows) - 1), max_size=3)) if rows else ():
        digest, group, vcpus, known = others[at]
        byte, bit = data.draw(st.integers(0, 47)), data.draw(st.integers(0, 7))
        changed = bytearray(digest)
        changed[byte] ^= 1 << bit
        less = vcpus - 1 if vcpus > 0 else 7
        others[at] = (bytes(changed), group, vcpus, known) if random.randrange(2) else (digest, group, less, known)
    for group in range(GROUPS):
        here, there = (sorted(row[:3] for row in some if row[1] == group) for some in (rows, others))
        expected |= {group} if here and here != there else set()
    with patch.object(leaf_code, "lib", lib):
        mine, theirs = RowProducts(), RowProducts()
        mine.add(packed(rows), GROUPS)
        theirs = RowProducts(like=mine)
        theirs.add(packed(others), GROUPS + 3)
        assert set(mine.differing(theirs)) == expected
        assert mine.differing(RowProducts(like=mine)) == sorted({row[1] for row in rows})


@pytest.mark.parametrize("lib", CODE)
def test_keys_are_others_each_time_and_rows_of_no_group_are_refused(lib: object) -> None:
    row = packed([(bytes(48), 3, 2, False)])
    with patch.object(leaf_code, "lib", lib):
        products = [RowProducts() for _ in range(3)]
        for each in products:
            each.add(row, 4)
            with pytest.raises(ValueError, match="no group"):
                each.add(packed([(bytes(48), 4, 2, False)]), 4)
    assert len({each[3] for each in products}) == 3


@pytest.mark.parametrize("lib", CODE)
@given(ROWS, st.sets(st.integers(0, GROUPS + 1)))
def test_rows_of_groups(lib: object, rows: list[Row], groups: set[int]) -> None:
    with patch.object(leaf_code, "lib", lib):
        found = rows_of(packed(rows), sorted(groups))
    assert bytes(found) == packed([row for row in rows if row[1] in groups])
    assert len(found) % ROW == 0
    assert all(row.group in groups for row in unpack_rows(found))
    assert KNOWN == 1 << 31
