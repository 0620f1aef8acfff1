"""Batch: many launch digests of one technology looked up at once, part by part."""

from __future__ import annotations

from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from catalog.errors import UsageError
from catalog.fast.index import ROW_GROUP, Index
from catalog.fast.verity import DamagedBlock, VerifiedBytes
from catalog.files.direct_io import ScratchBuffer
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.row_search import Searched, find_rows
from catalog.work.engine import processors


@dataclass(frozen=True, slots=True)
class Found:
    """For each digest asked for: how many rows have it, and, where any has, the ordinal of the first."""

    ordinals: array[int]
    times: array[int]


@dataclass(frozen=True, slots=True)
class BatchIndex:
    """The index of one technology in memory. Its Parquet parts are read, verified whole and dropped one by one."""

    index: Index
    _catalog: Catalog
    _technology: str
    _data: bytes

    @classmethod
    def open(cls, catalog: Catalog, technology: str) -> BatchIndex:
        """Raises VerificationFailed where the file is not the manifest's, DamagedBlock where it is no index,
        UsageError where it keeps distinguished digests only.
        """
        data = catalog.verified(f"{technology}/{manifest.INDEX}")
        index = Index(VerifiedBytes(data), _no_page)
        if index.distinguished_bits:
            raise UsageError(f"the catalog keeps distinguished digests of {technology} only", "look them up one by one")
        return cls(index, catalog, technology, data)

    def find(self, digests: bytes) -> Found:
        """Look up digests, one after the other as one string; raises as `open`, for the parts.

        `index.group_of(ordinal).at(ordinal)` is the configuration of a row; the rare digest that several rows have
        is for PackedCatalog.lookup.
        """
        size = self.index.digest_size
        if len(digests) % size:
            raise ValueError(f"{len(digests)} bytes are no {size}-byte digests")
        count = len(digests) // size
        found = Found(array("Q", bytes(8 * count)), array("I", bytes(4 * count)))
        buffer = ScratchBuffer()
        with ThreadPoolExecutor(processors()) as pool:  # parts are verified and searched without Python's lock
            for _ in pool.map(lambda part: self._search(part, digests, found, buffer), self._parts_of(digests)):
                pass
        return found

    def _parts_of(self, digests: bytes) -> list[int]:
        """The parts that any of the digests can be in, by its first byte."""
        asked = set(digests[:: self.index.digest_size])
        parts = self.index.parts
        firsts = (range(256 * part // parts, (256 * part + 255) // parts + 1) for part in range(parts))
        return [part for part, first in enumerate(firsts) if not asked.isdisjoint(first)]

    def _search(self, number: int, digests: bytes, found: Found, buffer: ScratchBuffer) -> None:
        """Find the digests that are in one part; no other part writes to their places."""
        layout = self.index.layout()
        names = manifest.part_names(self._technology, self.index.parts)
        first_row, first_page = layout.first_rows[number], layout.first_pages[number]
        rows = [*layout.first_rows[1:], self.index.rows][number] - first_row
        searched = Searched(
            index=self._data,
            layout=layout,
            ordinal_bits=self.index.ordinal_bits,
            part=self._catalog.verified_in(buffer, names[number]),
            number=number,
            bits=(len(names) - 1).bit_length(),
            pages=array("Q", layout.page_offsets[first_page : first_page - (-rows // ROW_GROUP)]),
            first_row=first_row,
            rows=rows,
            digest_size=self.index.digest_size,
        )
        find_rows(digests, searched, found.ordinals, found.times)


def _no_page(*_: int) -> bytes:
    raise DamagedBlock("a batch reads whole parts")
