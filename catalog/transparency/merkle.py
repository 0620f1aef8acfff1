"""The Merkle tree of RFC 6962: hashes, proofs of inclusion and of consistency, made and verified.

A node (level, index) is the hash of the leaves from index * 2**level up to (index + 1) * 2**level, all of them there.
Whoever has these nodes can make every proof. Source: RFC 6962, 2.1; verification as in RFC 9162, 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

from catalog.errors import VerificationFailed

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()
MAX_SIZE = (1 << 63) - 1
"""Leaves of a log; a tree of so many has 63 levels."""

MAX_PROOF = 63
"""Hashes of a proof of inclusion, and of consistency as witnesses take it."""

ReadNode = Callable[[int, int], bytes]
"""Level and index of a node; gives its hash."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of the bytes of a leaf."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two nodes beside each other."""
    return hashlib.sha256(b"\1" + left + right).digest()


class CompactRange:
    """A tree that grows, as the roots of the whole subtrees it is made of, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    @classmethod
    def of(cls, size: int, read: ReadNode) -> CompactRange:
        """The tree of so many leaves, by its nodes."""
        made, first = cls(), 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                made._roots.append(read(level, first >> level))
                first += 1 << level
        made.size = size
        return made

    def append(self, leaf: bytes) -> None:
        """leaf: the hash of the next one."""
        made, size = leaf, self.size
        while size & 1:
            made, size = node_hash(self._roots.pop(), made), size >> 1
        self._roots.append(made)
        self.size += 1

    def root(self) -> bytes:
        """Of all that was appended."""
        if not self._roots:
            return EMPTY_ROOT
        *others, made = self._roots
        for left in reversed(others):
            made = node_hash(left, made)
        return made


def root_hash(size: int, read: ReadNode) -> bytes:
    """The root of a tree of so many leaves."""
    return _range_hash(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """From the sibling of the leaf up to the child of the root. index: less than size."""
    low, high, proof = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_range_hash(middle, high, read))
            high = middle
        else:
            proof.append(_range_hash(low, middle, read))
            low = middle
    return proof[::-1]


def siblings_on_the_left(index: int, size: int) -> list[bool]:
    """Of each hash of a proof of inclusion, in its order, whether it stands to the left of what is made so far."""
    low, high, sides = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        sides.append(index >= middle)
        low, high = (middle, high) if index >= middle else (low, middle)
    return sides[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """That the tree of `new` leaves begins with that of `old`. old: at most new; of 0 and of new it is empty."""
    if old in (0, new):
        return []
    low, high, whole, proof = 0, new, True, []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_range_hash(middle, high, read))
            high = middle
        else:
            proof.append(_range_hash(low, middle, read))
            low, whole = middle, False
    return ([] if whole else [_range_hash(low, high, read)]) + proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """leaf: its hash. Raises VerificationFailed unless the proof leads from it to the root."""
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise VerificationFailed(f"a tree of {size} leaves has no leaf {index}")
    at, last, made = index, size - 1, leaf
    for sibling in proof:
        if not last:
            raise VerificationFailed("the proof of inclusion is longer than the tree is high")
        if at & 1 or at == last:
            made = node_hash(sibling, made)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            made = node_hash(made, sibling)
        at, last = at >> 1, last >> 1
    if last or not hmac.compare_digest(made, root):
        raise VerificationFailed("the proof of inclusion does not lead to the root of the checkpoint")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raises VerificationFailed unless the proof shows that the new tree begins with the old one.

    old: at least 1; every tree begins with the empty one, and no proof says so.
    """
    if not 0 < old <= new:
        raise VerificationFailed(f"no proof says that a tree of {new} leaves begins with one of {old}")
    if old == new:
        if proof or old_root != new_root:
            raise VerificationFailed(f"two trees of {new} leaves are not the same")
        return
    _check_hashes(old_root, new_root, *proof)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    path = list(proof) if at else [old_root, *proof]
    if not path:
        raise VerificationFailed("the proof of consistency is empty")
    made_old = made_new = path[0]
    for sibling in path[1:]:
        if not last:
            raise VerificationFailed("the proof of consistency is longer than the tree is high")
        if at & 1 or at == last:
            made_old, made_new = node_hash(sibling, made_old), node_hash(sibling, made_new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            made_new = node_hash(made_new, sibling)
        at, last = at >> 1, last >> 1
    if last or made_old != old_root or made_new != new_root:
        raise VerificationFailed(f"the trees of {old} and {new} leaves are not consistent")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(value) != HASH_SIZE for value in hashes):
        raise VerificationFailed(f"a hash of a proof does not have {HASH_SIZE} bytes")


def _range_hash(low: int, high: int, read: ReadNode) -> bytes:
    """The hash of the leaves from low up to high, which is a subtree of some tree: low is a multiple of its width."""
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, low >> level)
    middle = low + _split(size)
    return node_hash(_range_hash(low, middle, read), _range_hash(middle, high, read))


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1
