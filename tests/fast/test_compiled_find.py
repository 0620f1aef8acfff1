"""Lookups in compiled code find just what those in Python find, and use no byte that is not verified."""

from __future__ import annotations

import hashlib
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from struct import pack

import pytest

from catalog.build.builder import BuildResult
from catalog.fast import packed as packed_module
from catalog.fast.compiled import compiled_find
from catalog.fast.index import GROUP, HEADER, NONE, PART, Index
from catalog.fast.packed import PackedCatalog
from catalog.fast.verity import BLOCK, SUFFIX, DamagedBlock, VerifiedFile, file_digest, leaf_hashes, merkle_tree
from tests.support.catalogs import all_digests

pytestmark = pytest.mark.skipif(compiled_find.lib is None, reason="nothing was compiled")

DIGEST_SIZE = 48
PAGE_AT = 100
"""Offset of the digests in the file of a part: they lie across blocks."""


@pytest.fixture(autouse=True)
def from_the_first_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "_FEW", 1)


@contextmanager
def opened(built: BuildResult | Path) -> Iterator[PackedCatalog]:
    folder = built if isinstance(built, Path) else built.folder
    with closing(PackedCatalog(str(folder), hashlib.sha256)) as packed:
        for index in packed.indexes.values():
            index.find(bytes(index.digest_size))
            assert index.distinguished_bits or index.find != index.find_in_python
        yield packed


def outcome(find: Callable[[bytes], list[int]], digest: bytes) -> list[int] | str:
    try:
        return find(digest)
    except DamagedBlock as damage:
        return str(damage)


def asked(built: BuildResult) -> list[bytes]:
    """Every digest of a catalog, digests that are near them, and others."""
    chance = random.Random(1)
    held = [digest for _, digest in all_digests(built)]
    near = [digest[:-1] + bytes([digest[-1] ^ 1]) for digest in held]
    return [*held, *near, *(chance.randbytes(size) for size in (0, 8, 32, 48, 64) for _ in range(50))]


@pytest.mark.parametrize("name", ["small", "parted", "default"])
def test_both_find_the_same(name: str, request: pytest.FixtureRequest) -> None:
    built: BuildResult = request.getfixturevalue(name)
    digests = random.Random(2).choices(asked(built), k=1200)
    with opened(built) as packed:
        for index in packed.indexes.values():
            for digest in digests:
                found = index.find(digest)
                assert found == index.find_in_python(digest)
                for ordinal in found:
                    assert index.group_of(ordinal) is index.group_of_in_python(ordinal)


def test_only_rare_lookups_are_left_to_python(parted: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the comparison above would compare Python with itself."""
    digests = set(asked(parted))
    with opened(parted) as packed:
        for index in packed.indexes.values():
            several = {digest for digest in digests if len(index.find(digest)) > 1}  # and opens every part
            monkeypatch.setattr(index, "find_in_python", pytest.fail)
            assert any(index.find(digest) for digest in digests - several)


def test_compiled_code_is_loaded_after_some_lookups(small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "_FEW", 3)
    digests = [digest for technology, digest in all_digests(small) if technology == "sev-snp"]
    with closing(PackedCatalog(str(small.folder), hashlib.sha256)) as packed:
        index = packed.indexes["sev-snp"]
        first = index.find
        assert index.find(digests[0])
        assert index.find(digests[1])
        assert index.find is first
        assert index.find(digests[2])
        assert index.find is not first
    assert index.find == index.find_in_python


def test_what_is_in_memory_can_be_dropped(parted: BuildResult) -> None:
    digests = [digest for technology, digest in all_digests(parted) if technology == "sev-snp"]
    with opened(parted) as packed:
        index = packed.indexes["sev-snp"]
        before = [index.find(digest) for digest in digests]
        compiled = index.find
        packed.forget()
        assert index.find is not compiled
        assert [index.find(digest) for digest in digests] == before
        assert index.find != index.find_in_python


def test_without_compiled_code_python_goes_on(small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_find, "lib", None)
    digests = [digest for technology, digest in all_digests(small) if technology == "sev-snp"]
    with closing(PackedCatalog(str(small.folder), hashlib.sha256)) as packed:
        index = packed.indexes["sev-snp"]
        assert [len(index.find(digest)) > 0 for digest in digests] == [True] * len(digests)
        assert index.find == index.find_in_python


@pytest.mark.parametrize(("kept", "tag_bits"), [(1, 0), (3, 1), (1 << 14, 0), (1, 21)])
def test_little_memory_changes_no_answer(
    parted: BuildResult, kept: int, tag_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_find, "_KEPT_BLOCKS", kept)
    monkeypatch.setattr(compiled_find, "_TAG_BITS", tag_bits)
    with opened(parted) as packed:
        for _ in range(2):
            for index in packed.indexes.values():
                for digest in asked(parted):
                    assert index.find(digest) == index.find_in_python(digest)


def test_several_threads_find_the_same(parted: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_find, "_KEPT_BLOCKS", 2)
    digests = 20 * asked(parted)
    with opened(parted) as packed, ThreadPoolExecutor(8) as pool:
        index = packed.indexes["sev-snp"]
        for digest, found in zip(digests, pool.map(index.find, digests), strict=True):
            assert found == index.find_in_python(digest)


def indexed(
    folder: Path, rows: int, chance: random.Random, damage: Callable[[bytearray], None] = lambda _: None
) -> list[bytes]:
    """Write the index and the two parts of random rows; `damage` changes the index before it is signed."""
    digests = [bytes(DIGEST_SIZE), b"\xff" * DIGEST_SIZE, *(chance.randbytes(DIGEST_SIZE) for _ in range(rows - 2))]
    for _ in range(rows // 20):
        digests[chance.randrange(2, rows)] = chance.choice(digests)
    digests.sort()
    half = sum(digest[0] < 0x80 for digest in digests)
    data = index_of(digests, half, chance)
    damage(data)
    write_signed(folder, "index", bytes(data))
    for name, own in (("0", digests[:half]), ("1", digests[half:])):
        write_signed(folder, name, bytes(PAGE_AT) + b"".join(own) + bytes(10))
    return digests


def index_of(digests: list[bytes], half: int, chance: random.Random) -> bytearray:
    """As docs/index.md has it: one group of as many vCPU counts as there are digests, in random order."""
    rows = len(digests)
    entry_size, bucket_bits = chance.choice([3, 4, 5, 8]), chance.choice([0, 1, 5])
    digest_bits = min(8 * entry_size - max(1, (rows - 1).bit_length()), 64 - bucket_bits)
    ordinal_bits = 8 * entry_size - digest_bits
    sizes = (GROUP.size, 8 * (5 + rows), 2 * PART.size, 2 * 8, 8 * ((1 << bucket_bits) + 1), entry_size * rows)
    offsets = list(itertools.accumulate(sizes, initial=HEADER.size))
    keys = [int.from_bytes(digest[:8], "big") >> 64 - bucket_bits - digest_bits for digest in digests]
    starts = [sum(key >> digest_bits < bucket for key in keys) for bucket in range((1 << bucket_bits) + 1)]
    wide = (b"LDCATIDX", 1, DIGEST_SIZE, rows, bucket_bits, ordinal_bits, entry_size, 0, 1)
    data = bytearray(HEADER.pack(*wide, *offsets[:6], 2, 0, offsets[6], b"sev-snp".ljust(16, b"\0")))
    data += GROUP.pack(0, 0, NONE, 0, 0, 2, 4)
    data += pack(f"<{5 + rows}Q", 1, 7, 1, 1, rows, *range(1, rows + 1))
    data += PART.pack(0, 0) + PART.pack(half, 1) + pack("<QQ", PAGE_AT, PAGE_AT) + pack(f"<{len(starts)}Q", *starts)
    for key, ordinal in zip(keys, chance.sample(range(rows), rows), strict=True):
        data += ((key & (1 << digest_bits) - 1) << ordinal_bits | ordinal).to_bytes(entry_size, "big")
    return data


def write_signed(folder: Path, name: str, data: bytes) -> None:
    root, tree = merkle_tree(leaf_hashes([data], hashlib.sha256), hashlib.sha256)
    (folder / name).write_bytes(data)
    (folder / f"{name}{SUFFIX}").write_bytes(tree)
    (folder / f"{name}.digest").write_bytes(file_digest(root, len(data), hashlib.sha256))


@contextmanager
def both(folder: Path) -> Iterator[tuple[Index, Index]]:
    """The same index twice, for compiled code and for Python: neither learns what the other has verified."""
    with closing(Opened(folder)) as one, closing(Opened(folder)) as other:
        memory = compiled_find.shared_memory()
        compiled_find.use_compiled(one.index, one.file, one.parts, memory)
        yield one.index, other.index


class Opened:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: dict[int, VerifiedFile] = {}
        self.file = self._file("index")
        self.index = Index(self.file, self._pages)

    def _file(self, name: str) -> VerifiedFile:
        path = self.folder / name
        digest = (self.folder / f"{name}.digest").read_bytes()
        return VerifiedFile(path, digest, path.stat().st_size, hashlib.sha256)

    def _pages(self, part: int, offset: int, size: int) -> bytes:
        if part not in self.parts:
            self.parts[part] = self._file(str(part))
        return self.parts[part].read(offset, size)

    def close(self) -> None:
        for file in (self.file, *self.parts.values()):
            file.close()


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("seed", range(24))
def test_random_indexes_are_read_alike(tmp_path: Path, seed: int, held: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not held:
        monkeypatch.setattr(compiled_find, "held_find", None)
    chance = random.Random(seed)
    digests = indexed(tmp_path, chance.choice([2, 90, 700, 3000]), chance)
    with both(tmp_path) as (compiled, python):
        for digest in [*digests, *digests, *(chance.randbytes(DIGEST_SIZE) for _ in range(200))]:
            found = compiled.find(digest)
            assert found == python.find(digest)
            for ordinal in found:
                assert compiled.group_of(ordinal).at(ordinal) == python.group_of(ordinal).at(ordinal)


@pytest.mark.parametrize("seed", range(60))
def test_signed_nonsense_is_read_alike(tmp_path: Path, seed: int) -> None:
    """An index of a publisher that is not one: the same answers and the same errors."""
    chance = random.Random(seed)

    def damage(data: bytearray) -> None:
        for _ in range(chance.randint(1, 30)):
            at = chance.randrange(HEADER.size, len(data))
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))

    digests = indexed(tmp_path, 700, chance, damage)
    with suppress(DamagedBlock), both(tmp_path) as (compiled, python):  # of its tables: then all is left to Python
        for digest in digests:
            assert outcome(compiled.find, digest) == outcome(python.find, digest)


@pytest.mark.parametrize("name", ["index", "0", "1"])
@pytest.mark.parametrize("suffix", ["", SUFFIX])
def test_what_changes_on_disk_is_noticed(
    tmp_path: Path, name: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was verified before or not."""
    monkeypatch.setattr(compiled_find, "_KEPT_BLOCKS", 1)
    chance = random.Random(f"{name}{suffix}")
    digests = indexed(tmp_path, 3000, chance)
    truth = Counter(digests)
    path = tmp_path / (name + suffix)
    before = path.read_bytes()
    with both(tmp_path) as (compiled, python):
        for digest in digests[::2]:
            assert compiled.find(digest) == python.find(digest)
        for at in (chance.randrange(len(before)) for _ in range(20)):
            changed = bytearray(before)
            changed[at] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            for digest, rows in truth.items():
                found = outcome(compiled.find, digest)
                assert isinstance(found, str) or len(found) == rows
        path.write_bytes(before)
        assert all(compiled.find(digest) for digest in digests)


@pytest.mark.parametrize("tag_bits", [0, 21])
def test_a_verified_block_in_the_place_of_another_is_noticed(
    tmp_path: Path, tag_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_find, "_TAG_BITS", tag_bits)
    digests = indexed(tmp_path, 3000, random.Random(2))
    path = tmp_path / "1"
    before = path.read_bytes()
    with both(tmp_path) as (compiled, _):
        half = digests[sum(digest[0] < 0x80 for digest in digests) :]
        assert all(compiled.find(digest) for digest in half)
        assert compiled.find(half[BLOCK // DIGEST_SIZE])  # the second block is the last that was verified
        path.write_bytes(before[BLOCK : 2 * BLOCK] + before[:BLOCK] + before[2 * BLOCK :])
        with pytest.raises(DamagedBlock, match="damaged"):
            compiled.find(half[0])
        path.write_bytes(before)
        assert compiled.find(half[0])


def test_the_rest_of_a_part_is_verified_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    def start(verify: Callable[..., None], arguments: tuple[object, ...]) -> None:
        verify(*arguments)
        started.append(arguments[0])

    monkeypatch.setattr(compiled_find, "start_new_thread", start)
    digests = indexed(tmp_path, 3000, random.Random(5))
    with both(tmp_path) as (compiled, python):
        for digest in digests:
            assert compiled.find(digest) == python.find(digest)
        assert len(started) == 2
        assert all(compiled.find(digest) for digest in digests)


def test_without_threads_it_is_verified_in_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(compiled_find, "start_new_thread", start)
    digests = indexed(tmp_path, 3000, random.Random(6))
    with both(tmp_path) as (compiled, python):
        for digest in digests:
            assert compiled.find(digest) == python.find(digest)


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    digests = indexed(tmp_path, 3000, random.Random(3))
    with both(tmp_path) as (compiled, _):
        assert all(compiled.find(digest) for digest in digests)
        with (tmp_path / "1").open("r+b") as file:
            file.truncate(BLOCK)
        with pytest.raises(DamagedBlock):
            compiled.find(digests[-1])


def test_a_closed_catalog_is_not_read(small: BuildResult) -> None:
    digests = [digest for technology, digest in all_digests(small) if technology == "sev-snp"]
    with opened(small) as packed:
        assert packed.lookup(digests[0])
    index = packed.indexes["sev-snp"]
    assert all(isinstance(outcome(index.find, digest), str) for digest in digests[-20:])


def test_damage_to_a_catalog_is_the_same_error(small: BuildResult, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small.folder, copy)
    for path in sorted(copy.glob("sev-snp/launch_digests*")):
        whole = path.read_bytes()
        for at in range(len(whole) - 1, 0, -len(whole) // 5 or -1):
            try:
                with opened(copy) as packed:
                    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
                    with closing(PackedCatalog(str(small.folder), hashlib.sha256)) as sound:
                        for digest in (digest for _, digest in all_digests(small)):
                            found = outcome(packed.indexes["sev-snp"].find, digest)
                            assert isinstance(found, str) or found == sound.indexes["sev-snp"].find(digest)
            finally:
                path.write_bytes(whole)
