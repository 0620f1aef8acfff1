"""What the text of a leaf shows, without parsing it."""

from __future__ import annotations

RECORD_TYPES = ("digest", "endorsed", "revoke", "release")
"""The types of records that this version knows."""


def is_row(leaf: bytes) -> bool:
    """Whether a leaf that is a record is a digest record: the only type with this text and without inner objects."""
    return b'"type":"digest"' in leaf and leaf.rfind(b"{") == 0


def is_endorsed(leaf: bytes) -> bool:
    """Whether a leaf that is a record is an endorsed digest: the type is the last of its keys."""
    return leaf.endswith(b'"type":"endorsed"}')


def read_technology(row: bytes) -> str:
    """The technology in a leaf for which `is_row` holds; empty if it has none."""
    return row.partition(b'"technology":"')[2].partition(b'"')[0].decode("ascii", "replace")
