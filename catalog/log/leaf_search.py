"""Finds leaves by their contents: the leaves of a release are its rows, its endorsed digests, and then all others.

Rows and endorsed digests are sorted, so a binary search finds one with few entry bundles.
"""

from __future__ import annotations

from catalog.log.leaf_texts import is_endorsed, is_row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.log.log_reader import LogReader, ReleaseSpan

ROW, ENDORSED, OTHER = range(3)
"""Places of a leaf in its release."""


def leaf_place(leaf: bytes) -> int:
    """Whether a leaf is among the rows of its release, the endorsed digests, or the leaves after these."""
    return ROW if is_row(leaf) else ENDORSED if is_endorsed(leaf) else OTHER


def find_leaf(reader: LogReader, span: ReleaseSpan, leaf: bytes) -> int | None:
    """The index of a row or an endorsed digest among the leaves of a release; None if it is not there."""
    place = leaf_place(leaf)
    at = _first(reader, span, place, leaf)
    return at if at < span.end and reader.entry(at) == leaf else None


def endorsed_leaves(reader: LogReader, span: ReleaseSpan) -> Iterator[bytes]:
    """Yield the endorsed digests of a release, in the order of the log. Raises as LogReader.entry."""
    for index in range(_first(reader, span, ENDORSED), _first(reader, span, OTHER)):
        yield reader.entry(index)


def _first(reader: LogReader, span: ReleaseSpan, place: int, leaf: bytes = b"") -> int:
    """The index of the first leaf of a release that is not before a place and, there, before a leaf."""
    low, high = span.first, span.end
    while low < high:
        middle = (low + high) // 2
        found = reader.entry(middle)
        if (leaf_place(found), found if leaf else b"") < (place, leaf):
            low = middle + 1
        else:
            high = middle
    return low
