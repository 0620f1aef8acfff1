"""The Merkle tree compared with its definition, and proofs: correct ones verify, and changed ones do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import VerificationFailed
from catalog.transparency import merkle
from tests.support.logs import naive_root

LEAVES = [b"%d" % number for number in range(300)]


def read(level: int, index: int) -> bytes:
    """A node of the tree, computed by the definition."""
    return naive_root(LEAVES[index << level : (index + 1) << level])


def test_roots_match_the_definition() -> None:
    for size in range(len(LEAVES) + 1):
        assert merkle.root_hash(size, read) == naive_root(LEAVES[:size])


@given(st.data())
def test_every_leaf_has_an_inclusion_proof(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    proof, root, leaf = merkle.inclusion_proof(index, size, read), naive_root(LEAVES[:size]), read(0, index)
    merkle.verify_inclusion(leaf, index, size, proof, root)
    changed = data.draw(changes(proof))
    other_index = data.draw(st.integers(-1, len(LEAVES)).filter(lambda value: value != index))
    for wrong in (
        (leaf, index, size, changed, root),
        (leaf, other_index, size, proof, root),
        (flipped(leaf), index, size, proof, root),
        (leaf, index, size, proof, flipped(root)),
        (leaf, index, size, [*proof, root], root),
        (leaf, index, size, proof[:-1] or [root], root),
        (leaf[:-1], index, size, proof, root),
    ):
        with pytest.raises(VerificationFailed):
            merkle.verify_inclusion(*wrong)


@given(st.data())
def test_every_tree_is_consistent_with_smaller_ones(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, len(LEAVES)))
    old = data.draw(st.integers(1, new))
    proof = merkle.consistency_proof(old, new, read)
    roots = naive_root(LEAVES[:old]), naive_root(LEAVES[:new])
    merkle.verify_consistency(old, new, proof, *roots)
    for wrong in (
        (old, new, data.draw(changes(proof)), *roots),
        (old, new, proof, flipped(roots[0]), roots[1]),
        (old, new, proof, roots[0], flipped(roots[1])),
        (old, new, [*proof, roots[0]], *roots),
        (old, new, proof[:-1] or [roots[0]], *roots),
        (new + 1, new, proof, *roots),
        (0, new, [], *roots),
    ):
        with pytest.raises(VerificationFailed):
            merkle.verify_consistency(*wrong)


def test_the_empty_tree_needs_no_proof() -> None:
    assert merkle.consistency_proof(0, 9, read) == merkle.consistency_proof(9, 9, read) == []
    assert merkle.root_hash(0, read) == merkle.EMPTY_ROOT


def flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def changes(proof: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """A changed proof with as many hashes, or one that is too long."""
    if not proof:
        return st.just([bytes(32)])
    at = st.integers(0, len(proof) - 1)
    one = at.map(lambda n: [*proof[:n], flipped(proof[n]), *proof[n + 1 :]])
    return one | st.permutations(proof).filter(lambda other: other != proof) if len(proof) > 1 else one


def test_the_root_of_a_growing_tree() -> None:
    leaves = [str(n).encode() for n in range(300)]
    tree = merkle.CompactRange()
    for count, leaf in enumerate(leaves):
        assert (tree.size, tree.root()) == (count, naive_root(leaves[:count]))
        tree.append(merkle.leaf_hash(leaf))
