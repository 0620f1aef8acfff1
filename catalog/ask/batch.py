"""Batch: looks up many launch digests of one technology at once, part by part."""

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
    """The result of a batch, with one entry for each digest.

    ordinals: ordinal of the first row that has the digest, if any has.
    times: how many rows have it.
    """

    ordinals: array[int]
    times: array[int]


@dataclass(frozen=True, slots=True)
class BatchIndex:
    """The index of one technology, in memory. Its Parquet parts are read, verified whole and dropped one by one."""

    index: Index
    _catalog: Catalog
    _technology: str
    _data: bytes

    @classmethod
    def open(cls, catalog: Catalog, technology: str) -> BatchIndex:
        """Read the index of a technology.

        Raises VerificationFailed if the file does not match the manifest, DamagedBlock if it is not an index,
        UsageError if it has distinguished digests only.
        """
        data = catalog.verified(f"{technology}/{manifest.INDEX}")
        index = Index(VerifiedBytes(data), _no_page)
        if index.distinguished_bits:
            raise UsageError(f"the catalog keeps distinguished digests of {technology} only", "look them up one by one")
        return cls(index, catalog, technology, data)

    def find(self, digests: bytes) -> Found:
        """Look up digests. digests: their bytes, concatenated.

        `index.group_of(ordinal).at(ordinal)` is the configuration of a row. Use PackedCatalog.lookup for the rare
        digest of several rows. Raises VerificationFailed if a part does not match the manifest.
        """
        size = self.index.digest_size
        if len(digests) % size:
            raise ValueError(f"{len(digests)} bytes are not a multiple of {size}, the size of a digest")
        count = len(digests) // size
        found = Found(array("Q", bytes(8 * count)), array("I", bytes(4 * count)))
        buffer = ScratchBuffer()
        with ThreadPoolExecutor(processors()) as pool:  # verifying and searching release Python's lock
            for _ in pool.map(lambda part: self._search(part, digests, found, buffer), self._candidate_parts(digests)):
                pass
        return found

    def _candidate_parts(self, digests: bytes) -> list[int]:
        """Numbers of the parts that can contain any of the digests, by their first bytes."""
        wanted = set(digests[:: self.index.digest_size])
        parts = self.index.parts
        firsts = (range(256 * part // parts, (256 * part + 255) // parts + 1) for part in range(parts))
        return [part for part, first in enumerate(firsts) if not wanted.isdisjoint(first)]

    def _search(self, number: int, digests: bytes, found: Found, buffer: ScratchBuffer) -> None:
        """Find the digests that are in one part; other parts write to other entries of `found`."""
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
