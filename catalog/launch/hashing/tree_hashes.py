"""Hashes of Merkle trees, many at once: leaf hashes, and the root over 2**n of them. RFC 6962, 2.1."""

from __future__ import annotations

from array import array

from catalog.launch.hashing.backends import FASTEST, PYTHON, ffi, implementation_number, lib
from catalog.launch.hashing.passes import for_many
from catalog.transparency import merkle

_LEAF_PREFIX = 0

_FEW = 64
"""Hashes: as many are made sooner by hashlib than an engine is chosen."""


def leaf_hashes(
    data: bytes | bytearray | memoryview, starts: array[int], sizes: array[int], implementation: str | None = None
) -> bytes:
    """The leaf hash of each leaf, 32 bytes, one after the other.

    starts, sizes: of each leaf in the data, u32 in bytes.
    implementation: by default the fastest one for so many.
    Raises ValueError for a leaf that is not within the data, and for an implementation that this processor cannot run.
    """
    count = len(starts)
    chosen = implementation or _usual(count)
    if len(sizes) != count:
        raise ValueError(f"{count} leaves begin, and {len(sizes)} have a size")
    if chosen == PYTHON:
        ends = [start + size for start, size in zip(starts, sizes, strict=True)]
        if max(ends, default=0) > len(data):
            raise ValueError("a leaf is not within the data")
        return b"".join(merkle.leaf_hash(bytes(data[start:end])) for start, end in zip(starts, ends, strict=True))
    out = bytearray(merkle.HASH_SIZE * count)
    result = lib.ldcat_sha256_messages(
        implementation_number(for_many(chosen)),
        _LEAF_PREFIX,
        ffi.from_buffer("uint8_t[]", data),
        len(data),
        ffi.from_buffer("uint32_t[]", starts),
        ffi.from_buffer("uint32_t[]", sizes),
        count,
        ffi.from_buffer("uint8_t[]", out, require_writable=True),
    )
    if result != lib.LDCAT_DONE:
        raise ValueError("a leaf is not within the data")
    return bytes(out)


def perfect_root(leaves: bytes, implementation: str | None = None) -> bytes:
    """As merkle.perfect_root. implementation: by default the fastest one for so many."""
    count = len(leaves) // merkle.HASH_SIZE
    chosen = implementation or _usual(count)
    if chosen == PYTHON or count < 2:
        return merkle.perfect_root(leaves)
    if count & (count - 1) or len(leaves) % merkle.HASH_SIZE:
        raise ValueError(f"{len(leaves)} bytes are not the hashes of a perfect tree")
    return subtree_roots(leaves, count.bit_length() - 1, chosen)


def subtree_roots(leaves: bytes, levels: int, implementation: str | None = None) -> bytes:
    """As merkle.subtree_roots. implementation: by default the fastest one for so many."""
    count = len(leaves) // merkle.HASH_SIZE
    chosen = implementation or _usual(count)
    if chosen == PYTHON:
        return merkle.subtree_roots(leaves, levels)
    if len(leaves) % (merkle.HASH_SIZE << levels):
        raise ValueError(f"{len(leaves)} bytes are not the hashes of perfect trees")
    hashes = bytearray(leaves)
    memory = ffi.from_buffer("uint8_t[]", hashes, require_writable=True)
    lib.ldcat_merkle_roots(implementation_number(for_many(chosen)), memory, count, levels)
    return bytes(hashes[: len(leaves) >> levels])


def _usual(count: int) -> str:
    """What hashes so many messages, if nobody says."""
    return PYTHON if lib is None or count < _FEW else FASTEST
