"""Layout: where an index keeps what a search of many digests reads."""

from __future__ import annotations


class Layout:
    """The layout of an index, for a search of many digests.

    bucket_at, entry_at: offsets of the buckets and the entries, in bytes.
    bucket_bits: bits of a bucket's number.
    entry_size: bytes of an entry.
    first_rows, first_pages: number of the first row and of the first page of each part.
    page_offsets: offset of each page in the Parquet file of its part, in bytes.
    """

    __slots__ = ("bucket_at", "bucket_bits", "entry_at", "entry_size", "first_pages", "first_rows", "page_offsets")

    def __init__(
        self,
        bucket_at: int,
        bucket_bits: int,
        entry_at: int,
        entry_size: int,
        first_rows: list[int],
        first_pages: list[int],
        page_offsets: tuple[int, ...],
    ) -> None:
        self.bucket_at = bucket_at
        self.bucket_bits = bucket_bits
        self.entry_at = entry_at
        self.entry_size = entry_size
        self.first_rows = first_rows
        self.first_pages = first_pages
        self.page_offsets = page_offsets
