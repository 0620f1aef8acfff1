"""Rows sorted by group and vCPU count: compiled code, Python, and the definition give the same."""

from __future__ import annotations

from array import array
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.log.leaves import leaf_code
from catalog.log.leaves.row_text import LARGEST, NONE
from catalog.log.leaves.sorted_rows import sorted_rows

CODE = dict.fromkeys((leaf_code.lib, None))
"""Compiled, if it is, and in Python."""

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(st.integers(NONE, 3), st.integers(NONE, 65535)), st.binary(min_size=2)),
    max_size=40,
)


@given(ROWS, st.lists(st.sampled_from([32, 48]), min_size=4, max_size=6))
def test_rows_are_sorted_by_group_and_count_and_else_in_their_order(
    rows: list[tuple[int, int, bytes]], sizes: list[int]
) -> None:
    digests = [digest.ljust(LARGEST, b"\0")[:LARGEST] for *_, digest in rows]
    expected = {}
    for number, size in enumerate(sizes):
        of_group = sorted(
            ((count, at) for at, (group, count, _) in enumerate(rows) if group == number), key=lambda pair: pair[0]
        )
        if of_group:
            packed = b"".join(digests[at][:size] for _, at in of_group)
            expected[number] = ([count for count, _ in of_group], packed)
    vcpus, groups = array("i", (row[1] for row in rows)), array("I", (row[0] for row in rows))
    for lib in CODE:
        with patch.object(leaf_code, "lib", lib):
            found = list(sorted_rows(b"".join(digests), vcpus, groups, sizes))
        assert {one.number: (list(one.vcpus), bytes(one.digests)) for one in found} == expected
        assert [one.number for one in found] == sorted(expected)


@pytest.mark.parametrize("lib", CODE, ids=["compiled", "python"][-len(CODE) :])
@pytest.mark.parametrize(
    ("count", "group", "why"),
    [(0, 1, "of no group"), (65536, 0, "no row has"), (-2, 0, "no row has"), (2**31 - 1, 2**32 - 1, "of no group")],
)
def test_what_is_no_row_is_refused(count: int, group: int, why: str, lib: object) -> None:
    with patch.object(leaf_code, "lib", lib), pytest.raises(ValueError, match=why):
        list(sorted_rows(bytes(96), array("i", [1, count]), array("I", [0, group]), [48]))


def test_columns_of_different_length_are_refused() -> None:
    for digests, counts, groups in ((48, 2, 2), (96, 1, 2), (96, 2, 1)):
        with pytest.raises(ValueError, match="different length"):
            list(sorted_rows(bytes(digests), array("i", [1] * counts), array("I", [0] * groups), [48]))
