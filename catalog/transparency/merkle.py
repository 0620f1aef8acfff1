"""The Merkle tree of RFC 6962: hashes, inclusion proofs and consistency proofs, computed and verified.

A node (level, index) is the hash of the 2**level leaves from index * 2**level on, if the tree has all of them. Every
proof can be computed from nodes. Source: RFC 6962, 2.1; verification as in RFC 9162, 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from catalog.errors import VerificationFailed
from catalog.transparency.light_sha256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    ReadNode = Callable[[int, int], bytes]
    """Returns the hash of a node, given its level and index."""

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
MAX_SIZE = (1 << 63) - 1
"""Leaves: the largest log; its tree has 63 levels."""

MAX_PROOF = 63
"""Hashes: the longest inclusion proof, and the longest consistency proof that a witness accepts."""


def leaf_hash(leaf: bytes) -> bytes:
    """The Merkle leaf hash of a leaf: SHA-256 over a zero byte and the leaf."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the parent of two nodes: SHA-256 over a byte 1 and both hashes."""
    return sha256(b"\1" + left + right).digest()


def perfect_root(leaves: bytes) -> bytes:
    """The root of the tree over leaves whose number is a power of two. leaves: their hashes, one after the other."""
    while len(leaves) > HASH_SIZE:
        pairs = range(0, len(leaves), 2 * HASH_SIZE)
        leaves = b"".join(sha256(b"\1" + leaves[at : at + 2 * HASH_SIZE]).digest() for at in pairs)
    return leaves


def subtree_roots(leaves: bytes, levels: int) -> bytes:
    """The root of each tree over 2**levels of the leaves, one after the other. leaves: their hashes likewise."""
    size = HASH_SIZE << levels
    return b"".join(perfect_root(leaves[at : at + size]) for at in range(0, len(leaves), size))


class CompactRange:
    """A tree to which leaves are appended, kept as the roots of its perfect subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    @classmethod
    def of(cls, size: int, read: ReadNode) -> CompactRange:
        """The tree with `size` leaves, from its nodes."""
        made, first = cls(), 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                made._roots.append(read(level, first >> level))
                first += 1 << level
        made.size = size
        return made

    def append(self, leaf: bytes) -> None:
        """Append a leaf. leaf: its hash."""
        self._append(leaf, 0)

    def extend(self, leaves: bytes, root_of: Callable[[bytes], bytes] | None = None) -> None:
        """Append leaves. leaves: their hashes, one after the other. root_of: as `perfect_root`, but faster."""
        done, count = 0, len(leaves) // HASH_SIZE
        while done < count:
            width = 1 << (count - done).bit_length() - 1
            if self.size:
                width = min(width, self.size & -self.size)
            part = leaves[HASH_SIZE * done : HASH_SIZE * (done + width)]
            self._append((root_of or perfect_root)(part), width.bit_length() - 1)
            done += width

    def _append(self, node: bytes, level: int) -> None:
        """Append 2**level leaves, of whose number the size is a multiple. node: the hash of the node above them."""
        size, made = self.size >> level, node
        while size & 1:
            made, size = node_hash(self._roots.pop(), made), size >> 1
        self._roots.append(made)
        self.size += 1 << level

    def root(self) -> bytes:
        """The root hash of the tree."""
        if not self._roots:
            return EMPTY_ROOT
        *others, made = self._roots
        for left in reversed(others):
            made = node_hash(left, made)
        return made


def root_hash(size: int, read: ReadNode) -> bytes:
    """The root hash of the tree with `size` leaves."""
    return _range_hash(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """The inclusion proof of a leaf, from its sibling up to the child of the root. index: less than size."""
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
    """For each hash of an inclusion proof, in its order: whether it is the left operand of the next node hash."""
    low, high, sides = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        sides.append(index >= middle)
        low, high = (middle, high) if index >= middle else (low, middle)
    return sides[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """The proof that the tree of `new` leaves is consistent with that of `old` leaves; empty if old is 0 or new."""
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
    """Raises VerificationFailed unless the proof leads from a leaf to the root. leaf: its hash."""
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
    if last or made != root:
        raise VerificationFailed("the proof of inclusion does not lead to the root of the checkpoint")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raises VerificationFailed unless the proof shows that the new tree is consistent with the old one.

    old: at least 1; every tree is consistent with the empty one, which needs no proof.
    """
    if not 0 < old <= new:
        raise VerificationFailed(f"no consistency proof exists from size {old} to the smaller size {new}")
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
    """The hash of the leaves low, ..., high - 1, which form a subtree: low is a multiple of its width."""
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, low >> level)
    middle = low + _split(size)
    return node_hash(_range_hash(low, middle, read), _range_hash(middle, high, read))


def _split(size: int) -> int:
    """The largest power of two that is less than the size."""
    return 1 << (size - 1).bit_length() - 1
