"""Writes the tiles and entry bundles of leaves that are added to a log, as they fill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from catalog.transparency.merkle import HASH_SIZE, subtree_roots
from catalog.transparency.tiles import ENTRY_AT, HEIGHT, WIDTH, TileReader, format_bundle, tile_path

Data = bytes | bytearray | memoryview
File = tuple[str, Data]
"""The path of a file in the folder of a log, and its bytes."""


class NewBundles:
    """The entry bundles when leaves are added.

    size: of the log before.
    old: its tiles.
    """

    def __init__(self, size: int, old: TileReader) -> None:
        self._number, self._width = divmod(size, WIDTH)
        self._waiting: list[Data] = [format_bundle(old.entries(self._number))] if self._width else []

    def add(self, entries: Data, starts: Sequence[int]) -> Iterator[File]:
        """Yield the bundles that are full now.

        entries: each after its length, as in a bundle.
        starts: offset of each one, after the length, ascending.
        """
        view, taken, at = memoryview(entries), 0, 0
        while len(starts) - taken >= WIDTH - self._width:
            taken += WIDTH - self._width
            end = starts[taken] - ENTRY_AT if taken < len(starts) else len(view)
            yield self._made([*self._waiting, view[at:end]], WIDTH)
            self._number, self._width, self._waiting, at = self._number + 1, 0, [], end
        if taken < len(starts):
            self._width += len(starts) - taken
            self._waiting.append(bytes(view[at:]))

    def last(self) -> Iterator[File]:
        """Yield the bundle that is not full, if there is one."""
        if self._width:
            yield self._made(self._waiting, self._width)

    def _made(self, parts: list[Data], width: int) -> File:
        return tile_path(None, self._number, width), parts[0] if len(parts) == 1 else b"".join(parts)


class NewTiles:
    """The tiles of hashes when leaves are added.

    size: of the log before.
    old: its tiles.
    roots: makes the root of each tree over so many leaves, as subtree_roots.
    """

    def __init__(self, size: int, old: TileReader, roots: Callable[[bytes, int], bytes] = subtree_roots) -> None:
        self._old = old
        self._roots = roots
        self._size = size
        self._levels: list[_Level] = []

    def add(self, hashes: bytes, level: int = 0) -> Iterator[File]:
        """Yield the tiles that are full now. hashes: of the leaves, 32 bytes each; or of the nodes of another level."""
        if level == len(self._levels):
            self._levels.append(_Level(self._old, level, self._size >> HEIGHT * level))
        number, full = self._levels[level].add(hashes)
        for at in range(0, len(full), WIDTH * HASH_SIZE):
            yield tile_path(level, number), full[at : at + WIDTH * HASH_SIZE]
            number += 1
        if full:
            yield from self.add(self._roots(full, HEIGHT), level + 1)

    def last(self) -> Iterator[File]:
        """Yield the tiles that are not full."""
        for number, level in enumerate(self._levels):
            if level.waiting:
                yield tile_path(number, level.number, len(level.waiting) // HASH_SIZE), level.waiting


class _Level:
    """The hashes of a level. size: how many there were before. waiting: those of the last tile, number `number`."""

    def __init__(self, old: TileReader, level: int, size: int) -> None:
        self.number, kept = divmod(size, WIDTH)
        self.waiting = old.tile(level, self.number) if kept else b""

    def add(self, hashes: bytes) -> tuple[int, bytes]:
        """The number of the first tile that is full now, and the hashes of all that are."""
        hashes, number = self.waiting + hashes, self.number
        tiles = len(hashes) // (WIDTH * HASH_SIZE)
        full, self.waiting = hashes[: tiles * WIDTH * HASH_SIZE], hashes[tiles * WIDTH * HASH_SIZE :]
        self.number += tiles
        return number, full
