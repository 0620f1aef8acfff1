"""Digests of rows in Arrow tables, as one string of bytes."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from catalog.export.rows.export_rows import PackedDigests, distinct_digests


@given(st.lists(st.sampled_from([bytes([number]) * 48 for number in range(4)]), max_size=8), st.integers(0, 3))
def test_distinct_digests_are_in_the_order_of_their_first_rows(digests: list[bytes], begin: int) -> None:
    array = pa.array([bytes(48)] * begin + digests, pa.binary(48)).slice(begin)
    expected = list(dict.fromkeys(digests))
    found = distinct_digests(pa.table({"launch_digest": array}), len(expected))
    assert list(found) == expected
    assert (len(found), found[:2], found[1:]) == (len(expected), expected[:2], expected[1:])


def test_digests_in_one_string_are_a_sequence() -> None:
    found = PackedDigests(bytes(48) + bytes([1]) * 48)
    assert (found[0], found[-1]) == (bytes(48), bytes([1]) * 48)
    assert list(reversed(found)) == [found[1], found[0]]
