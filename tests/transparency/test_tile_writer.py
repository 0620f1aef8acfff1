"""Tiles and bundles that are written as they fill are those of all leaves at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.log.leaves.entries import Entries
from catalog.transparency import merkle
from catalog.transparency.tile_writer import Data, NewBundles, NewTiles
from catalog.transparency.tiles import WIDTH, format_bundle, tile_path
from tests.support.logs import MemoryLog, naive_root

LEAVES = [b"%d" % number * (number % 3) for number in range(3 * WIDTH + 40)]
SIZES = st.sampled_from([0, 1, 255, 256, 257, 511, 512, 700])


def defined(old: int, size: int) -> dict[str, bytes]:
    """Every file that has one of the new leaves, or a hash above them that the log before did not have."""
    files = {}
    for number in range(old // WIDTH, -(-size // WIDTH)):
        part = LEAVES[number * WIDTH : min(size, (number + 1) * WIDTH)]
        files[tile_path(None, number, len(part))] = format_bundle(part)
        files[tile_path(0, number, len(part))] = b"".join(map(merkle.leaf_hash, part))
    if (full := size // WIDTH) > old // WIDTH:
        roots = [naive_root(LEAVES[number * WIDTH : (number + 1) * WIDTH]) for number in range(full)]
        files[tile_path(1, 0, full)] = b"".join(roots)
    return files


@given(SIZES, st.lists(st.integers(0, 300), max_size=6))
def test_leaves_in_any_portions(old: int, portions: list[int]) -> None:
    log = MemoryLog()
    log.append(LEAVES[:old])
    bundles, tiles, at = NewBundles(old, log.reader), NewTiles(old, log.reader), old
    files: dict[str, Data] = {}
    for portion in portions:
        entries = Entries.of(LEAVES[at : at + portion])
        files.update([*bundles.add(entries.data, entries.starts), *tiles.add(entries.hashes())])
        at = min(at + portion, len(LEAVES))
    files.update([*bundles.last(), *tiles.last()])
    expected = defined(old, at) if at > old else {}
    assert {path: bytes(data) for path, data in files.items() if path in expected} == expected
    assert at == old or files.keys() == expected.keys()
