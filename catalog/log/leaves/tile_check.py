"""TileCheck: whether the tiles of a log have the leaf hashes of its entries: readers find and prove leaves by them."""

from __future__ import annotations

from catalog.errors import LdcatError
from catalog.log.leaves.bundle_files import BundleFiles
from catalog.transparency.merkle import HASH_SIZE
from catalog.transparency.tiles import WIDTH, TileReader


class TileCheck:
    """same: whether all tiles have the hashes that were added. reader: of the tiles."""

    def __init__(self, reader: TileReader) -> None:
        self.same = True
        self._reader = reader

    def add(self, first: int, hashes: bytes, files: BundleFiles | None) -> None:
        """Compare the hashes of leaves of one folder. first: index of the first one. files: of a local log, or None."""
        done = 0
        if files and first % WIDTH == 0:
            done = WIDTH * HASH_SIZE * files.same_tiles(first // WIDTH, hashes)
        while self.same and done < len(hashes):
            number, at = divmod(first + done // HASH_SIZE, WIDTH)
            try:
                tile = self._reader.again().tile(0, number)[HASH_SIZE * at :]
            except LdcatError:
                tile = b""
            self.same = bool(tile) and hashes.startswith(tile, done)
            done += len(tile)
