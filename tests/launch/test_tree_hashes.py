"""Hashes of Merkle trees: every implementation gives those of hashlib."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.launch.hashing import tree_hashes
from catalog.launch.hashing.backends import sha256_implementations
from catalog.launch.hashing.tree_hashes import leaf_hashes, perfect_root, subtree_roots
from catalog.transparency import merkle

ANY = pytest.mark.parametrize("implementation", [None, *sha256_implementations()])


def placed(leaves: list[bytes], gap: bytes = b"..") -> tuple[bytes, array[int], array[int]]:
    """Leaves in one piece of memory, with bytes between them."""
    starts, data = array("I"), b""
    for leaf in leaves:
        data += gap
        starts.append(len(data))
        data += leaf
    return data, starts, array("I", map(len, leaves))


@pytest.mark.no_cover
@ANY
@given(st.lists(st.integers(0, 400), max_size=150), st.integers(0, 255))
def test_leaf_hashes_of_any_lengths(implementation: str | None, sizes: list[int], seed: int) -> None:
    leaves = [bytes((seed + 7 * at + n) & 255 for n in range(size)) for at, size in enumerate(sizes)]
    assert leaf_hashes(*placed(leaves), implementation) == b"".join(map(merkle.leaf_hash, leaves))


@pytest.mark.no_cover
@ANY
@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 600), st.integers(0, 599), st.integers(0, 255))
def test_leaf_hashes_of_leaves_that_begin_alike(
    implementation: str | None, same: int, more: int, count: int, other: int, seed: int
) -> None:
    begin = bytes(seed + 7 * at & 255 for at in range(same))
    leaves = [begin + bytes((seed + 3 * at + n) & 255 for n in range(at % (more + 1))) for at in range(count)]
    leaves[other % count] = leaves[other % count][::-1]
    assert leaf_hashes(*placed(leaves), implementation) == b"".join(map(merkle.leaf_hash, leaves))


@ANY
def test_every_length_around_a_block_and_the_longest(implementation: str | None) -> None:
    leaves = [bytes([at & 255]) * at for at in [*range(260), 65535, 65534]]
    assert leaf_hashes(*placed(leaves), implementation) == b"".join(map(merkle.leaf_hash, leaves))


@ANY
@pytest.mark.parametrize("level", range(9))
def test_perfect_roots(implementation: str | None, level: int) -> None:
    hashes = [merkle.leaf_hash(bytes([at & 255, level])) for at in range(1 << level)]
    tree = merkle.CompactRange()
    for each in hashes:
        tree.append(each)
    assert perfect_root(b"".join(hashes), implementation) == merkle.perfect_root(b"".join(hashes)) == tree.root()


@ANY
@pytest.mark.parametrize("levels", [0, 1, 3, 8])
@pytest.mark.parametrize("roots", [0, 1, 5])
def test_roots_of_subtrees(implementation: str | None, levels: int, roots: int) -> None:
    hashes = [merkle.leaf_hash(bytes([at & 255, levels])) for at in range(roots << levels)]
    parts = [b"".join(hashes[at << levels : at + 1 << levels]) for at in range(roots)]
    expected = b"".join(map(merkle.perfect_root, parts))
    assert subtree_roots(b"".join(hashes), levels, implementation) == expected
    assert merkle.subtree_roots(b"".join(hashes), levels) == expected


@ANY
@pytest.mark.parametrize(("start", "size"), [(0, 11), (10, 1), (11, 0), (12, 0), (2**32 - 1, 2**32 - 1)])
def test_a_leaf_outside_the_data_is_refused(implementation: str | None, start: int, size: int) -> None:
    starts, sizes = array("I", [0, start]), array("I", [10, size])
    if start + size <= 10:
        assert len(leaf_hashes(bytes(10), starts, sizes, implementation)) == 64
        return
    with pytest.raises(ValueError, match="not within the data"):
        leaf_hashes(bytes(10), starts, sizes, implementation)


def test_leaves_without_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 leaves begin, and 1 have a size"):
        leaf_hashes(bytes(10), array("I", [0, 1]), array("I", [1]))


@pytest.mark.parametrize("size", [96, 65])
def test_hashes_that_are_no_perfect_tree_are_refused(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = next((name for name in sha256_implementations() if name != "python"), None)
    if compiled is None:
        pytest.skip("there is no compiled code")
    with pytest.raises(ValueError, match="are not the hashes of a perfect tree"):
        perfect_root(bytes(size), compiled)
    with pytest.raises(ValueError, match="are not the hashes of perfect trees"):
        subtree_roots(bytes(size), 1, compiled)


def test_few_hashes_need_no_compiled_code_and_many_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    leaves = [bytes([at]) for at in range(128)]
    expected = leaf_hashes(*placed(leaves))
    monkeypatch.setattr(tree_hashes, "lib", None)
    assert leaf_hashes(*placed(leaves)) == expected
    assert perfect_root(expected) == merkle.perfect_root(expected)
