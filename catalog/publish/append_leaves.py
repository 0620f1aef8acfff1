"""Append: leaves as entry bundles and tiles, which are written as they fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from catalog.launch.hashing.tree_hashes import subtree_roots
from catalog.log.leaves.entries import Entries
from catalog.log.leaves.kept_rows import KeptRows
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.packed_rows import write_leaves
from catalog.log.log_folder import LogFolder
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tile_writer import File, NewBundles, NewTiles
from catalog.transparency.tiles import WIDTH, TileReader

_AT_ONCE = 4 << 20
"""Bytes: how much of the leaves is written at a time."""


def append_leaves(
    log: LogFolder,
    old: Checkpoint,
    rows: KeptRows,
    groups: LeafGroups,
    last: Sequence[bytes],
    others: Iterable[File] = (),
) -> Checkpoint:
    """Append rows, then other leaves, and sync; the new checkpoint is computed from the written files.

    groups: of the rows. last: leaves. others: files that another thread makes and writes at the same time.
    Raises as LogFolder.write, and VerificationFailed.
    """
    reader = TileReader(log, old.size)
    with ThreadPoolExecutor(1, "others") as pool:
        others_written = pool.submit(log.write, others)
        log.write(_files(old.size, reader, _entries(rows, groups, last)))
        others_written.result()
    size = old.size + len(rows) + len(last)
    written = TileReader(log, size).node
    root = merkle.root_hash(size, written)
    if old.size:
        merkle.verify_consistency(old.size, size, merkle.consistency_proof(old.size, size, written), old.root, root)
    return Checkpoint(old.origin, size, root)


def _entries(rows: KeptRows, groups: LeafGroups, last: Sequence[bytes]) -> Iterator[Entries]:
    """The leaves, as many at a time as fit in _AT_ONCE bytes."""
    bundles = max(1, _AT_ONCE // (WIDTH * max(groups.longest, 1)))
    yield from (write_leaves(groups, part) for part in rows.parts(WIDTH * bundles))
    yield Entries.of(last)


def _files(size: int, old: TileReader, leaves: Iterable[Entries]) -> Iterator[File]:
    """The new tiles and bundles. size: of the log before. old: its tiles."""
    bundles, tiles = NewBundles(size, old), NewTiles(size, old, subtree_roots)
    for entries in leaves:
        yield from bundles.add(entries.data, entries.starts)
        yield from tiles.add(entries.hashes())
    yield from bundles.last()
    yield from tiles.last()
