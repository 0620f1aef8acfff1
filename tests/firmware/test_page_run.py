"""Parts of pages that follow one another: the last one, and their number, are those of the list of parts."""

from __future__ import annotations

from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from catalog.firmware.igvm.page_run import contiguous_parts, count_contiguous_parts, last_contiguous_part

PAGE = st.tuples(st.integers(0, 4).map(lambda number: number * 4096), st.sampled_from([0, 8192]))


@given(st.lists(PAGE, min_size=1, max_size=8))
def test_parts_end_where_pages_do_not_follow(pages: list[tuple[int, int]]) -> None:
    gpas, offsets = array("Q", [gpa for gpa, _ in pages]), array("I", [offset for _, offset in pages])
    parts = list(contiguous_parts(gpas, offsets, 4096))
    follows = [one[0] + 4096 == other[0] and bool(one[1]) == bool(other[1]) for one, other in pairwise(pages)]
    assert [begin for begin, _ in parts] == [0, *(at for at, does in enumerate(follows, 1) if not does)]
    assert [end for _, end in parts] == [*(begin for begin, _ in parts[1:]), len(pages)]
    assert last_contiguous_part(gpas, offsets, 4096) == parts[-1][0]
    assert count_contiguous_parts(gpas, offsets, 4096) == len(parts)
