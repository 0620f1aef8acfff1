"""Merkle trees of files: they are those of fs-verity, and unverified bytes are never returned."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.fast.verity import BLOCK, SUFFIX, DamagedBlock, VerifiedFile, file_digest, leaf_hashes, merkle_tree

SIZES = [0, 1, 4095, 4096, 4097, 128 * 4096, 128 * 4096 + 1, 300_000, 3_000_001]


def contents_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def written(folder: Path, data: bytes) -> tuple[Path, bytes]:
    """A file with its tree, and its digest."""
    path = folder / "file"
    root, tree = merkle_tree(leaf_hashes([data], hashlib.sha256), hashlib.sha256)
    path.write_bytes(data)
    path.with_name("file" + SUFFIX).write_bytes(tree)
    return path, file_digest(root, len(data), hashlib.sha256)


@pytest.mark.parametrize(
    ("size", "digest"),
    [
        # the output of `fsverity digest` 1.5 for the same files
        (0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"),
        (4096, "babc284ee4ffe7f449377fbf6692715b43aec7bc39c094a95878904d34bac97e"),
    ],
)
def test_the_digest_matches_fs_verity(tmp_path: Path, size: int, digest: str) -> None:
    assert written(tmp_path, bytes(size))[1].hex() == digest


@pytest.mark.parametrize("size", SIZES)
def test_every_range_is_read_correctly(tmp_path: Path, size: int) -> None:
    data = contents_of(size)
    path, digest = written(tmp_path, data)
    chance = random.Random(1)
    file = VerifiedFile(path, digest, size, hashlib.sha256)
    for keep in (False, True, False):
        for _ in range(40):
            start = chance.randint(0, size)
            length = chance.randint(0, min(size - start, 3 * BLOCK))
            assert file.read(start, length, keep=keep) == data[start : start + length]
    for start, length in ((-1, 1), (0, size + 1), (size, 1), (0, -1)):
        with pytest.raises(DamagedBlock):
            file.read(start, length)
    file.close()


@given(size=st.integers(1, 700_000), seed=st.integers(0, 2**32))
def test_changed_bytes_are_never_returned(tmp_path_factory: pytest.TempPathFactory, size: int, seed: int) -> None:
    chance = random.Random(seed)
    data = contents_of(size)
    path, digest = written(tmp_path_factory.mktemp("verity"), data)
    changed = path if size <= BLOCK or chance.random() < 0.5 else path.with_name("file" + SUFFIX)
    broken = bytearray(changed.read_bytes())
    at = chance.randrange(len(broken))
    broken[at] ^= 1 << chance.randrange(8)
    changed.write_bytes(broken)
    found = 0
    try:
        file = VerifiedFile(path, digest, size, hashlib.sha256)
    except DamagedBlock:
        return
    for start in range(0, size, BLOCK):
        wanted = data[start : start + BLOCK]
        try:
            assert file.read(start, len(wanted)) == wanted
        except DamagedBlock:
            found += 1
    file.close()
    assert found >= 1


@pytest.mark.parametrize("size", [100, 300_000])
def test_a_file_of_another_length_or_without_tree_is_damaged(tmp_path: Path, size: int) -> None:
    data = contents_of(size)
    path, digest = written(tmp_path, data)
    for other in (data[:-1], data + b"\0", b""):
        path.write_bytes(other)
        with pytest.raises(DamagedBlock):
            VerifiedFile(path, digest, size, hashlib.sha256)
    path.write_bytes(data)
    if size > BLOCK:
        path.with_name("file" + SUFFIX).write_bytes(b"short")
        with pytest.raises(DamagedBlock, match="ends too early"):
            VerifiedFile(path, digest, size, hashlib.sha256)
        path.with_name("file" + SUFFIX).unlink()
        with pytest.raises(DamagedBlock, match="no such file"):
            VerifiedFile(path, digest, size, hashlib.sha256)
    path.unlink()
    with pytest.raises(DamagedBlock, match="no such file"):
        VerifiedFile(path, digest, size, hashlib.sha256)


def test_a_file_that_is_truncated_meanwhile_is_damaged_without_sigbus(tmp_path: Path) -> None:
    data = contents_of(100_000)
    path, digest = written(tmp_path, data)
    file = VerifiedFile(path, digest, len(data), hashlib.sha256)
    path.write_bytes(data[:5000])
    with pytest.raises(DamagedBlock, match="the 4 KiB at 8192 are damaged"):
        file.read(9000, 10)
    assert file.read(0, 4096) == data[:4096]
    file.close()
