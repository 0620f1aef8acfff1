"""Tiles: the hashes and the entries of a log as files that never change (C2SP tlog-tiles).

A tile has up to 256 hashes of one level. At level 0 they are leaf hashes; at the next level each is the root of a full
tile below. Tiles are untrusted: a proof is computed from them, and the proof is verified.
"""

from __future__ import annotations

import struct

from catalog.errors import LdcatError, MalformedInput, NotThere
from catalog.transparency.merkle import HASH_SIZE, leaf_hash, node_hash
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Store(Protocol):
        """Where the files of a log are read: a folder, a web server, a test."""

        def read(self, path: str, at_most: int) -> bytes:
            """The bytes of a file. Raises NotThere, Unreadable, MalformedInput if it has more than `at_most` bytes."""

else:
    Store = object  # typing takes long to load


HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_ENTRY = (1 << 16) - 1
"""Bytes: the longest entry."""

TILES_OF_FOLDER = 1000
"""How many full tiles, or bundles, a folder has at the most; each has three digits of its number as its name."""

_LENGTH = struct.Struct(">H")
ENTRY_AT = _LENGTH.size
"""Bytes in front of each entry of a bundle: its length."""

MAX_BUNDLE = WIDTH * (_LENGTH.size + MAX_ENTRY)
"""Bytes: the largest entry bundle."""


DAMAGED = "the file was damaged or changed: get it again from the publisher; ldcat doctor LOG lists all such files"
"""The hint for a file of a log that differs from what was signed."""


def tile_path(level: int | None, number: int, width: int = WIDTH) -> str:
    """Path of a tile; of an entry bundle if level is None. width: less than 256 for a partial one."""
    groups = [f"{number % TILES_OF_FOLDER:03}"]
    while number := number // TILES_OF_FOLDER:
        groups.insert(0, f"x{number % TILES_OF_FOLDER:03}")
    part = "" if width == WIDTH else f".p/{width}"
    return f"tile/{'entries' if level is None else level}/{'/'.join(groups)}{part}"


class Bundle(Value):
    """An entry bundle as it was read.

    width: how many of its entries are in the tree.
    data: its bytes.
    there: how many entries it has, if it is not damaged: more than `width` where a partial bundle was deleted.
    """

    number: int
    width: int
    data: bytes
    there: int


class TileReader:
    """Reads nodes and entries of the tree with `size` leaves from its tiles; each tile is read once."""

    def __init__(self, store: Store, size: int) -> None:
        self._store = store
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def again(self) -> TileReader:
        """A reader of the same tiles that keeps none of those that were read."""
        return TileReader(self._store, self._size)

    def node(self, level: int, index: int) -> bytes:
        """The hash of a node: a ReadNode of merkle.py. Raises Unreadable, MalformedInput."""
        tile_level, within = divmod(level, HEIGHT)
        number, at = divmod(index << within, WIDTH)
        tile = self.tile(tile_level, number)
        hashes = [tile[n * HASH_SIZE : (n + 1) * HASH_SIZE] for n in range(at, at + (1 << within))]
        return _top(hashes)

    def tile(self, level: int, number: int) -> bytes:
        """The bytes of a tile, with its width in a tree of this size. Raises Unreadable, MalformedInput."""
        key = (level, number)
        if key not in self._tiles:
            self._tiles[key] = self._read(level, number)
        return self._tiles[key]

    def entries(self, number: int) -> list[bytes]:
        """The entries of a bundle. Raises Unreadable, MalformedInput."""
        return self.entries_of(self.bundle(number))

    def bundle(self, number: int) -> Bundle:
        """The bytes of a bundle. Raises Unreadable, MalformedInput if it is too long."""
        width = tile_width(self._size, 0, number)
        return Bundle(number, width, *_read_wide(self._store, None, number, width, MAX_BUNDLE))

    def entries_of(self, bundle: Bundle) -> list[bytes]:
        """The entries of a bundle that was read. Raises MalformedInput."""
        path = tile_path(None, bundle.number, bundle.there)
        try:
            entries = parse_bundle(bundle.data)
        except MalformedInput as error:
            raise MalformedInput(f"{path}: {error}", DAMAGED) from error
        if len(entries) != bundle.there:
            raise MalformedInput(f"{path} has {len(entries)} entries", DAMAGED)
        return entries[: bundle.width]

    def entry_fault(self, index: int, hashed: bytes) -> str | None:
        """Say in which file an entry is that has not the hash in its tile; None if it has. Raises as `tile`.

        hashed: the leaf hash of the entry.
        """
        if hashed == self.node(0, index):
            return None
        bundle, tile = self._paths(index)
        return f"entry {index} of the log, in {bundle}, does not match its tile, {tile}"

    def first_entry_fault(self) -> str | None:
        """As `entry_fault`, for the first one of all entries, or what prevents it. It reads all of them."""
        try:
            return next(filter(None, map(self._bundle_fault, range(-(-self._size // WIDTH)))), None)
        except LdcatError as error:
            return str(error)

    def proof_fault(self, index: int) -> str | None:
        """Say which files of an inclusion proof that fails contradict each other; None if this is not known.

        Compared are the entries next to the leaf and the last ones, and the tiles above both. index: of the leaf.
        """
        places = dict.fromkeys((index, self._size - 1))
        try:
            return next(filter(None, (self._bundle_fault(at // WIDTH) or self._tile_fault(at) for at in places)), None)
        except LdcatError as error:
            return str(error)

    def _bundle_fault(self, number: int) -> str | None:
        """As `entry_fault`, for the first entry of a bundle."""
        hashes = enumerate(map(leaf_hash, self.entries(number)), number * WIDTH)
        return next(filter(None, (self.entry_fault(index, hashed) for index, hashed in hashes)), None)

    def _tile_fault(self, index: int) -> str | None:
        """Name the lowest full tile above a leaf that has not the hash in the tile above it; None if all have."""
        level, number = 0, index // WIDTH
        while number < self._size >> HEIGHT * (level + 1):
            tile, above = self.tile(level, number), number // WIDTH
            hashes = [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]
            if _top(hashes) != self.node(HEIGHT * (level + 1), number):
                higher = tile_path(level + 1, above, tile_width(self._size, level + 1, above))
                return f"{tile_path(level, number)} does not match {higher}"
            level, number = level + 1, above
        return None

    def entry_path(self, index: int) -> str:
        """Path of the bundle that has an entry, in a tree of this size."""
        return self._paths(index)[0]

    def _paths(self, index: int) -> tuple[str, str]:
        """Paths of the bundle of an entry, and of the tile with its hash."""
        number = index // WIDTH
        width = tile_width(self._size, 0, number)
        return tile_path(None, number, width), tile_path(0, number, width)

    def _read(self, level: int, number: int) -> bytes:
        width = tile_width(self._size, level, number)
        data, there = _read_wide(self._store, level, number, width, WIDTH * HASH_SIZE)
        if len(data) != there * HASH_SIZE:
            raise MalformedInput(f"{tile_path(level, number, there)} has {len(data)} bytes", DAMAGED)
        return data[: width * HASH_SIZE]


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length, 2 bytes big-endian. Raises MalformedInput above 65,535 bytes."""
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise MalformedInput(f"an entry has more than {MAX_ENTRY} bytes")
    return b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)


def parse_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises MalformedInput if it is truncated, or has more than 256."""
    entries, at = list[bytes](), 0
    while at < len(data):
        if len(entries) == WIDTH:  # before more are read: a hostile one has millions of empty entries
            raise MalformedInput(f"a bundle has more than {WIDTH} entries")
        end = at + _LENGTH.size
        if end > len(data) or (next_at := end + _LENGTH.unpack_from(data, at)[0]) > len(data):
            raise MalformedInput("a bundle of entries is cut off")
        entries.append(data[end:next_at])
        at = next_at
    return entries


def tile_width(size: int, level: int, number: int) -> int:
    """Number of hashes of a tile in a tree of `size` leaves. Raises MalformedInput if the tree lacks the tile."""
    width = min(WIDTH, (size >> HEIGHT * level) - number * WIDTH)
    if width <= 0 or number < 0:
        raise MalformedInput(f"a tree of {size} leaves has no tile {number} at level {level}")
    return width


def _read_wide(store: Store, level: int | None, number: int, width: int, at_most: int) -> tuple[bytes, int]:
    """Read a tile or bundle; return it with its width. If a partial one was deleted, the full one is read instead."""
    try:
        return store.read(tile_path(level, number, width), at_most), width
    except NotThere:
        if width == WIDTH:
            raise
        return store.read(tile_path(level, number), at_most), WIDTH


def _top(hashes: Sequence[bytes]) -> bytes:
    """The root of a perfect tree over these hashes, whose number is a power of two."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[n], hashes[n + 1]) for n in range(0, len(hashes), 2)]
    return hashes[0]
