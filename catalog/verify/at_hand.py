"""Files of a log at a host that need no request: those of the pack for its checkpoint, and those fetched before.

They are kept in one file for the newest checkpoint. What is kept is as untrusted as what a host sends, and verified in
the same way; its checksum only tells a damaged file from one of a lying host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from catalog.errors import LdcatError, MalformedInput, Unreadable
from catalog.fast.beneath import Files, walk
from catalog.files import inputs
from catalog.files.outputs import write_whole
from catalog.files.writer import opened, remove
from catalog.log.file_pack import MAX_PACK, PACKS, format_pack, leaf_name, pack_path, pack_size, parse_pack
from catalog.net.no_answer import NoAnswer
from catalog.transparency.tiles import WIDTH, parse_bundle, tile_path, tile_width

Fetch = Callable[[str, int], bytes]
"""Fetches a file of the log by its path; the number is the most bytes that it may have."""

_TILES = "tile/"
_PARTIAL = ".p/"

_OF_LOGS = (_TILES, "releases/", "range/")
"""How the paths begin that a pack of a host may have: no host can say what is kept under a name of our own."""

_NO_PACK = "no-pack"
"""What is kept under this name says how many checkpoints ago a host without packs was asked for one."""

_WITHOUT = 8
"""Checkpoints: how many are verified without asking such a host for a pack again."""

_MAX_KEPT = 32 << 20
"""Bytes: the most that is kept. A log whose records need more is read from the host each time."""

_CHECKSUM = 64
"""Bytes: the length of a SHA-256 in hex, with which a kept file begins."""


class AtHand:
    """The files at hand of one log. root: the folder of its files in the cache.

    leaves: by their index, as `LogFolder.leaves`.
    """

    def __init__(self, root: Path) -> None:
        self.leaves: dict[int, bytes] = {}
        self._root = root
        self._files: dict[str, bytes] = {}
        self._before: dict[str, bytes] = {}
        self._size = 0
        self._is_kept = True
        self._verifies = False
        self._is_given_up = False
        self._without = 0
        self._checkpoint: bytes | None = None

    def give_checkpoint(self, checkpoint: bytes) -> None:
        """Have a checkpoint at hand that was just fetched, for one use: whoever tries again needs a newer one."""
        self._checkpoint = checkpoint

    def take_checkpoint(self) -> bytes | None:
        """The checkpoint that was just fetched; None if it was used before."""
        found, self._checkpoint = self._checkpoint, None
        return found

    def get(self, path: str) -> bytes | None:
        """A file; None if it is not at hand."""
        return self._files.get(path)

    def read(self, path: str, at_most: int, fetch: Fetch) -> bytes:
        """A file, fetched if it is not at hand. Raises the errors of `fetch`."""
        found = self._files.get(path)
        if found is not None and len(found) <= at_most:
            return found
        data = self._before[path] if path in self._before else fetch(path, at_most)
        if self._verifies and path.startswith(_TILES):
            self._files[path] = data
            self._is_kept = False
        return data

    def prepare(self, size: int, fetch: Fetch) -> None:
        """Get what verifies a checkpoint of that many leaves: what was kept of it, or the pack of the host.

        A host that serves no pack, or something else at its address, is read file by file, and not asked for the pack
        of each later checkpoint. Raises NoAnswer.
        """
        self._verifies = True
        if not self._is_given_up:
            self.load(size)
        if self._size == size or not size:
            return
        self._size, self._is_kept = size, False
        if self._is_given_up:
            return
        for kept in self._list_kept():
            self._carry_over(kept)
        without = self._without + 1 if self._without < _WITHOUT else 0
        if without > 1:
            self._files[_NO_PACK] = b"%d" % without
            return
        try:
            files, leaves = parse_pack(fetch(pack_path(size), MAX_PACK))
        except NoAnswer:
            raise
        except (Unreadable, MalformedInput):
            self._files[_NO_PACK] = b"1"
            return
        self._files.update((path, data) for path, data in files.items() if path.startswith(_OF_LOGS))
        self.leaves.update(leaves)

    def _carry_over(self, size: int) -> None:
        """Have at hand what is kept for a smaller tree and is the same in this one: full tiles, and its last leaf."""
        files, leaves = self._read(size)
        full = {path: data for path, data in files.items() if path.startswith(_TILES) and _PARTIAL not in path}
        self._before.update(full)
        without = files.get(_NO_PACK, b"")
        if len(without) == 1 and without.isdigit():
            self._without = max(self._without, int(without))
        number = (size - 1) // WIDTH
        bundle = files.get(tile_path(None, number, tile_width(size, 0, number)))
        with suppress(MalformedInput, IndexError):
            self.leaves[size - 1] = leaves.get(size - 1) or parse_bundle(bundle or b"")[-1]

    def load(self, size: int) -> None:
        """Load what is kept for a checkpoint of that many leaves, if anything is, and nothing else was loaded."""
        if self._size or self._is_given_up:
            return
        files, leaves = self._read(size)
        if files:
            self._files.update(files)
            self.leaves.update(leaves)
            self._size = size

    def forget(self) -> bool:
        """Drop everything after a verification that failed; whether there was anything to drop."""
        found = bool(self._files or self.leaves or self._before)
        self.leaves.clear()
        self._files.clear()
        self._before.clear()
        self._size, self._is_given_up = 0, True
        return found

    def add(self, path: str, data: bytes) -> None:
        """Keep one more file with those of the checkpoint. Raises as `keep`."""
        self._files[path] = data
        self._is_kept = False
        self.keep()

    def keep(self) -> None:
        """Keep what was used to verify a checkpoint, in place of what was kept before. Raises Unreadable."""
        self._verifies = False
        self._before.clear()
        if self._is_kept or not self._size:
            return
        self._is_kept = True
        packed = format_pack([*self._files.items(), *((leaf_name(index), leaf) for index, leaf in self.leaves.items())])
        if len(packed) > _MAX_KEPT:
            return
        others = [size for size in self._list_kept() if size != self._size]
        try:
            with opened(self._root, PACKS):
                pass
            checksum = hashlib.sha256(packed).hexdigest().encode("ascii")
            write_whole(self._root / pack_path(self._size), checksum + packed)
            for size in others:
                remove(self._root, pack_path(size))
        except OSError as error:
            raise inputs.unreadable(self._root, error) from error

    def _read(self, size: int) -> tuple[dict[str, bytes], dict[int, bytes]]:
        """What is kept for a checkpoint of that many leaves: nothing if it is damaged."""
        with suppress(LdcatError):
            data = inputs.read_beneath(Files(self._root), pack_path(size), _MAX_KEPT + _CHECKSUM + 1)
            packed = data[_CHECKSUM:]
            if hashlib.sha256(packed).hexdigest().encode("ascii") == data[:_CHECKSUM]:
                return parse_pack(packed)
        return {}, {}

    def _list_kept(self) -> list[int]:
        """The sizes of the checkpoints for which something is kept."""
        with suppress(OSError):
            return [size for path, _ in walk(self._root, PACKS) if (size := pack_size(path))]
        return []
