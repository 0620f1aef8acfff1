"""Batch: many launch digests of one technology looked up at once, part by part."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from catalog.errors import UsageError
from catalog.query.store import Catalog
from catalog.release import manifest
from catalog.release.index import ROW_GROUP, Index
from catalog.release.row_search import Searched, find_rows
from catalog.release.verity import DamagedBlock, VerifiedBytes


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
        index = Index(VerifiedBytes(data), len(data), _no_page)
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
        found, times = array("Q", bytes(8 * count)), array("I", bytes(4 * count))
        names = manifest.part_names(self._technology, self.index.parts)
        layout = self.index.layout()
        ends = [*layout.first_rows[1:], self.index.rows]
        for number, name in enumerate(names):
            first = layout.first_pages[number]
            pages = -(-(ends[number] - layout.first_rows[number]) // ROW_GROUP)
            find_rows(
                digests,
                Searched(
                    index=self._data,
                    layout=layout,
                    ordinal_bits=self.index.ordinal_bits,
                    part=self._catalog.verified(name),
                    number=number,
                    bits=(len(names) - 1).bit_length(),
                    pages=array("Q", layout.page_offsets[first : first + pages]),
                    first_row=layout.first_rows[number],
                    rows=ends[number] - layout.first_rows[number],
                    digest_size=size,
                ),
                found,
                times,
            )
        return Found(found, times)


def _no_page(*_: int) -> bytes:
    raise DamagedBlock("a batch reads whole parts")
