"""BundleFiles: the entry bundles and the tiles of a local log in their order, many with one call of compiled code.

Whatever compiled code does not take, be it a fault, is read as every other file of a log: then it is taken or refused.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.fast.beneath import open_folder
from catalog.log.leaves import leaf_code
from catalog.log.leaves.entries import Entries
from catalog.transparency.merkle import HASH_SIZE
from catalog.transparency.tiles import TILES_OF_FOLDER, WIDTH, tile_path

ENOUGH = 4 << 20
"""Bytes: no more bundles are read at once if they have as many."""

_TILE = WIDTH * HASH_SIZE


class BundleFiles:
    """root: folder of the log."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[int | None, tuple[str, int]] = {}

    def close(self) -> None:
        """Close the folders that are open."""
        for _, descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def read(self, first: int, end: int) -> Entries | None:
        """The entries of the bundles `first`, ..., `end - 1`, full ones in one folder; or of those up to a fault.

        They are fewer, too, if they have more bytes than ENOUGH. None if the first one cannot be taken.
        """
        folder = self._folder(None, first) if first < end else None
        if folder is None:
            return None
        memory, room = leaf_code.new_memory(ENOUGH), 4 * WIDTH * (end - first)
        starts, sizes = array("I", bytes(room)), array("I", bytes(room))
        count = WIDTH * leaf_code.lib.ldcat_read_bundles(
            folder,
            _names(first, end),
            end - first,
            memory,
            ENOUGH,
            leaf_code.words(starts),
            leaf_code.words(sizes),
        )
        if not count:
            return None
        used = starts[count - 1] + sizes[count - 1]
        return Entries(memoryview(leaf_code.ffi.buffer(memory, used)), starts[:count], sizes[:count])

    def same_tiles(self, first: int, hashes: bytes) -> int:
        """How many full tiles in one folder, from `first` on, have these leaf hashes; more may have them."""
        end = first + len(hashes) // _TILE
        folder = self._folder(0, first) if first < end else None
        if folder is None:
            return 0
        return int(leaf_code.lib.ldcat_same_tiles(folder, _names(first, end), end - first, hashes))

    def _folder(self, level: int | None, number: int) -> int | None:
        """The descriptor of the folder of a tile, or of a bundle, as tile_path; None if it cannot be opened."""
        if leaf_code.lib is None:
            return None
        path = tile_path(level, number).rpartition("/")[0]
        before, descriptor = self._open.get(level, ("", -1))
        if path == before:
            return descriptor
        try:
            descriptor = open_folder(self._root, path)
        except (OSError, ValueError):
            return None
        if before:
            os.close(self._open[level][1])
        self._open[level] = path, descriptor
        return descriptor


@contextmanager
def bundle_files(root: Path | None) -> Iterator[BundleFiles | None]:
    """The files of a log in a folder; None if it is elsewhere."""
    if root is None:
        yield None
        return
    files = BundleFiles(root)
    try:
        yield files
    finally:
        files.close()


def end_of_folder(number: int) -> int:
    """The number after the last tile, or bundle, in the folder of this one."""
    return number - number % TILES_OF_FOLDER + TILES_OF_FOLDER


def _names(first: int, end: int) -> bytes:
    """The names of full tiles in their folder, each with a zero behind it."""
    return b"".join(b"%03d\0" % (number % TILES_OF_FOLDER) for number in range(first, end))
