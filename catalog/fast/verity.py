"""fs-verity: a Merkle tree over a file, by which any 4 KiB of it can be verified without reading the rest.

Tree and file digest are those of Linux fs-verity with SHA-256, blocks of 4096 bytes and no salt: `fsverity digest FILE`
prints the same digest. Source: Linux Documentation/filesystems/fsverity.rst.
"""

from __future__ import annotations

import os
from struct import pack

from catalog.fast.beneath import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Protocol

    from catalog.fast.beneath import Files

    class Reader(Protocol):
        """A file of `size` bytes, any of which can be read and is verified; see VerifiedFile."""

        size: int

        def read(self, offset: int, size: int, *, keep: bool = False) -> bytes: ...


BLOCK = 4096
SUFFIX = ".merkle"
"""Suffix of the file beside a file that holds its tree, from the root's level to that of the leaves."""

_HASH = 32
_HASHES_EACH = BLOCK // _HASH
_KEPT_BLOCKS = (64 << 20) // BLOCK


class DamagedBlock(Exception):
    """A block of a file, or of its tree, does not match the file digest or cannot be read; or contents are invalid."""


def merkle_tree(leaves: bytes, sha256: Callable[[Any], Any]) -> tuple[bytes, bytes]:
    """The root hash, and the tree from the root's level down. leaves: the 32-byte hashes of a file's blocks."""
    levels: list[bytes] = []
    hashes = leaves
    while len(hashes) > _HASH:
        level = hashes + bytes(-len(hashes) % BLOCK)
        levels.append(level)
        hashes = b"".join(sha256(level[at : at + BLOCK]).digest() for at in range(0, len(level), BLOCK))
    return hashes or bytes(_HASH), b"".join(reversed(levels))


def leaf_hashes(chunks: Iterable[bytes | memoryview], sha256: Callable[[Any], Any]) -> bytes:
    """Hashes of a file's blocks. chunks: whole blocks each, except the last one, which is padded with zeros."""
    return b"".join(sha256(block).digest() for chunk in chunks for block in _blocks(chunk))


def file_digest(root: bytes, size: int, sha256: Callable[[bytes], Any]) -> bytes:
    """The fs-verity digest of a file: SHA-256 of its descriptor, which holds the root hash and the size."""
    descriptor = pack("<BBBBIQ64s32s144s", 1, 1, 12, 0, 0, size, root, b"", b"")
    return bytes(sha256(descriptor).digest())


class VerifiedBytes:
    """The bytes of a file that was verified as a whole, with the interface of VerifiedFile."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, size: int, *, keep: bool = False) -> bytes:  # noqa: ARG002 - all of it is kept
        """Bytes of the file; raises DamagedBlock if the range is not inside it."""
        if not 0 <= offset <= offset + size <= self.size:
            raise DamagedBlock(f"no {size} bytes at {offset}")
        return self._data[offset : offset + size]


class VerifiedFile:
    """A file whose bytes are verified each time before they are returned. Close it after use.

    path: the file; its tree is beside it.
    digest: its fs-verity digest, 32 bytes.
    size: bytes.
    sha256: a constructor such as hashlib.sha256.
    files: the folder that `path` is relative to, below which no symbolic link is followed.
    root: hash of the root of its tree.

    The file is not mapped: so nobody can change bytes after they were verified, and a file that becomes shorter is an
    error instead of a signal. Opening and reading raise DamagedBlock.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        digest: bytes,
        size: int,
        sha256: Callable[[bytes], Any],
        files: Files | None = None,
    ) -> None:
        name, opened = os.fspath(path), files.open if files else open_regular
        path = f"{files.path}/{name}" if files else name
        self._sha256 = sha256
        self.size = size
        self._kept: dict[int, bytes] = {}
        self._levels = _levels(size)
        self._file = self._tree = -1
        try:
            self._file = opened(name)
            if self._levels:
                self._tree = opened(name + SUFFIX)
            top = self._raw(self._tree, 0) if self._levels else self._data_block(0) if size else b""
            root = bytes(sha256(top).digest()) if size else bytes(_HASH)
            if os.fstat(self._file).st_size != size or file_digest(root, size, sha256) != digest:
                raise DamagedBlock(f"{path} is not the file its manifest names")
        except OSError as error:
            self.close()
            raise DamagedBlock(f"{error.filename or path}: {(error.strerror or str(error)).lower()}") from error
        except DamagedBlock:
            self.close()
            raise
        self._path = path
        self.root = root
        self._top = {(len(self._levels) - 1, 0): top} if self._levels else {}
        self._known = dict(self._top)

    def read(self, offset: int, size: int, *, keep: bool = False) -> bytes:
        """Verified bytes of the file; raises DamagedBlock, also if the range is not inside the file.

        keep: cache the blocks in memory, because they are read often; 64 MiB at most.
        """
        end = offset + size
        if not 0 <= offset <= end <= self.size:
            raise DamagedBlock(f"{self._path}: no {size} bytes at {offset}")
        if not size:
            return b""
        first, start = divmod(offset, BLOCK)
        if start + size <= BLOCK:
            found = self._kept.get(first) or self._verified_block(first, keep=keep)
        else:
            numbers = range(first, -(-end // BLOCK))
            found = b"".join([self._kept.get(number) or self._verified_block(number, keep=keep) for number in numbers])
        return found[start : start + size]

    @property
    def descriptors(self) -> tuple[int, int]:
        """Of the file and of its tree, -1 if the file is one block; they are closed with it."""
        return self._file, self._tree

    def forget(self) -> None:
        """Drop the blocks that are in memory."""
        self._kept, self._known = {}, dict(self._top)

    def close(self) -> None:
        """Close the file and its tree."""
        for descriptor in (self._file, self._tree):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._tree = -1

    def _verified_block(self, number: int, *, keep: bool) -> bytes:
        block = self._data_block(number)
        if self._sha256(block).digest() != self._hash_of(0, number):
            raise DamagedBlock(f"{self._path}: the 4 KiB at {number * BLOCK} are damaged")
        if keep and len(self._kept) < _KEPT_BLOCKS:
            self._kept[number] = block
        return block

    def _hash_of(self, level: int, number: int) -> bytes:
        """The expected hash of a block: of the file for level 0, of tree level `level - 1` otherwise."""
        if level == len(self._levels):
            return self.root
        above, place = divmod(number, _HASHES_EACH)
        known = self._known.get((level, above))
        if known is None:
            known = self._raw(self._tree, self._levels[level] + above)
            if self._sha256(known).digest() != self._hash_of(level + 1, above):
                raise DamagedBlock(f"{self._path}{SUFFIX}: level {level} is damaged")
            self._known[level, above] = known
        return known[place * _HASH : (place + 1) * _HASH]

    def _data_block(self, number: int) -> bytes:
        return _pread(self._file, number).ljust(BLOCK, b"\0")

    def _raw(self, descriptor: int, number: int) -> bytes:
        block = _pread(descriptor, number)
        if len(block) != BLOCK:
            raise DamagedBlock(f"{SUFFIX[1:]} tree: it ends too early")
        return block


def _pread(descriptor: int, number: int) -> bytes:
    try:
        return os.pread(descriptor, BLOCK, number * BLOCK)
    except OSError as error:
        raise DamagedBlock(f"the 4 KiB at {number * BLOCK} cannot be read") from error


def _levels(size: int) -> list[int]:
    """For each level of the tree, leaves first, the number of its first block in the tree file. size: of the file."""
    counts = []
    blocks = -(-size // BLOCK)
    while blocks > 1:
        blocks = -(-blocks // _HASHES_EACH)
        counts.append(blocks)
    return [sum(counts[level + 1 :]) for level in range(len(counts))]


def _blocks(chunk: bytes | memoryview) -> Iterator[bytes | memoryview]:
    for at in range(0, len(chunk), BLOCK):
        block = chunk[at : at + BLOCK]
        yield block if len(block) == BLOCK else bytes(block) + bytes(BLOCK - len(block))
