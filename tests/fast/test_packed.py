"""The packed index: it gives exactly the rows of the Parquet files, and damage to it never changes an answer."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from array import array
from pathlib import Path

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.batch import BatchIndex
from catalog.ask.lookup import lookup, lookup_in_parquet
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, VerificationFailed
from catalog.fast import index, names
from catalog.fast.packed import PackedCatalog, light_sha256
from catalog.fast.verity import DamagedBlock, VerifiedBytes
from catalog.store import row_records
from catalog.store.catalog import Catalog
from catalog.store.manifest import part_names
from tests.support.catalogs import all_digests


def agrees(built: BuildResult, digests: list[tuple[str, bytes]]) -> None:
    catalog = Catalog.open(built.folder)
    packed = PackedCatalog(str(built.folder), hashlib.sha256)
    for _, digest in digests:
        expected = [match.to_dict() for match in lookup_in_parquet(catalog, LaunchDigest(digest))]
        assert [match.to_dict() for match in packed.lookup(digest)] == expected
        assert expected != []
    packed.close()


def test_every_row_is_found_as_in_parquet(small: BuildResult, parted: BuildResult) -> None:
    agrees(small, all_digests(small))
    agrees(parted, all_digests(parted))


def test_a_sample_of_the_default_catalog_is_found_as_in_parquet(default: BuildResult) -> None:
    agrees(default, random.Random(3).sample(all_digests(default), 12))


def test_parts_contain_the_rows_in_order(small: BuildResult, parted: BuildResult) -> None:
    assert parted.manifest.technologies["sev-snp"].parts > 4
    digests = [digest for technology, digest in all_digests(parted) if technology == "sev-snp"]
    assert digests == sorted(digests)
    assert set(digests) <= {digest for _, digest in all_digests(small)}


@pytest.mark.parametrize("size", [32, 48])
def test_digests_that_differ_in_a_few_bits_are_not_found(default: BuildResult, size: int) -> None:
    packed = PackedCatalog(str(default.folder), light_sha256())
    chance = random.Random(size)
    sorted_rows = [digest for _, digest in all_digests(default) if len(digest) == size]
    held = set(sorted_rows)
    for digest in [*chance.sample(sorted_rows, 300), bytes(size), b"\xff" * size]:
        for near in (digest[:-1] + bytes([digest[-1] ^ 1]), digest[:6] + chance.randbytes(size - 6)):
            assert near in held or packed.lookup(near) == []
    assert packed.lookup(b"") == packed.lookup(sorted_rows[0][:-1]) == []
    packed.close()


@pytest.fixture
def copy(parted: BuildResult, tmp_path: Path) -> Path:
    shutil.copytree(parted.folder, tmp_path / "copy")
    return tmp_path / "copy"


READ = ["components/names", "sev-snp/launch_digests.index", "sev-es/launch_digests.index.merkle"]


@pytest.mark.parametrize("name", READ)
def test_a_damaged_index_is_reported_and_parquet_is_read_instead(
    default: BuildResult, tmp_path: Path, name: str
) -> None:
    """A changed bit, or the lost end of a hash tree, is detected where it is read; another length always."""
    folder = tmp_path / "copy"
    shutil.copytree(default.folder, folder)
    chance = random.Random(name)
    whole = (folder / name).read_bytes()
    held = [digest for technology, digest in all_digests(default) if technology == name.partition("/")[0]]
    digest = LaunchDigest(chance.choice(held or [digest for _, digest in all_digests(default)]))
    catalog = Catalog.open(folder)
    expected = [match.to_dict() for match in lookup_in_parquet(catalog, digest)]
    flipped = [bytearray(whole) for _ in range(8)]
    for broken in flipped:
        broken[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    changed = [(bytes(broken), {0, 1}) for broken in flipped]
    is_tree = name.endswith(".merkle")
    shorter = [(whole[: chance.randrange(len(whole))], {0, 1} if is_tree else {1}) for _ in range(2)]
    longer = [] if is_tree else [(whole + b"\0", {1})]
    for data, times in [*changed, *shorter, *longer, (b"", {1}), (bytes(len(whole)), {1})]:
        (folder / name).write_bytes(data)
        warnings: list[str] = []
        assert [match.to_dict() for match in lookup(catalog, digest, warn=warnings.append)] == expected
        assert len(warnings) in times
        assert all("so the Parquet files are read" in text for text in warnings)
    (folder / name).unlink()
    warnings = []
    lookup(catalog, digest, warn=warnings.append)
    assert len(warnings) == 1


def test_if_index_and_parquet_are_damaged_there_is_no_answer(parted: BuildResult, copy: Path) -> None:
    (technology, digest) = all_digests(parted)[-1]
    names_of_parts = part_names(technology, parted.manifest.technologies[technology].parts)
    for name in names_of_parts:
        (copy / name).write_bytes((copy / name).read_bytes()[:-1])
    warnings: list[str] = []
    with pytest.raises(VerificationFailed, match="is not the file its manifest names"):
        lookup(Catalog.open(copy), LaunchDigest(digest), warn=warnings.append)
    assert len(warnings) == 1


def test_the_index_of_another_technology_is_refused(copy: Path) -> None:
    """Even if the manifest names them so: each index states its technology."""
    text = (copy / "manifest.json").read_text()
    for suffix in ("", ".merkle"):
        first, second = (copy / f"{name}/launch_digests.index{suffix}" for name in ("sev", "sev-es"))
        data = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(data)
        text = text.replace(f"sev/launch_digests.index{suffix}", "~").replace(
            f"sev-es/launch_digests.index{suffix}", f"sev/launch_digests.index{suffix}"
        )
        text = text.replace('"~"', f'"sev-es/launch_digests.index{suffix}"')
    (copy / "manifest.json").write_text(text)
    with pytest.raises(DamagedBlock, match="index of another technology"):
        PackedCatalog(str(copy), hashlib.sha256)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"format": "ldcat-catalog/2"', '"format": "ldcat-catalog/3"', "not a manifest of this format"),
        ('"fsverity": "', '"fsverity": "x', "does not say how"),
        ('"components/names": {', '"components/nemas": {', "does not say how"),
        ('"fsverity": "', '"fsverity": \n      "', "does not say how"),
        ('"sev-snp/launch_digests.index": {', '"sev-snp/launch_digests.index":  {', "does not say how"),
        ('"sev-snp/launch_digests.index": {', '"sev-snp/launch_digests\\u002eindex": {', "does not say how"),
        ('"parts": 8', '"parts": 16', "not the index that the manifest describes"),
        ('"parts": 8', '"parts": 1.5', "not formatted as ldcat formats it"),
        ('"technologies": {', '"technologies": {  ', "not formatted as ldcat formats it"),
        ("{\n  ", "\ufeff{\n  ", "not formatted as ldcat formats it"),
        ("\n  }\n}\n", "\n  }\n}\n\n", "not formatted as ldcat formats it"),
        ("\n  }\n}\n", "\n  ", "not formatted as ldcat formats it"),
    ],
)
def test_the_full_path_is_taken_if_the_manifest_differs(copy: Path, old: str, new: str, message: str) -> None:
    path = copy / "manifest.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    head, _, tail = text.rpartition(old) if old.startswith("\n") else text.partition(old)
    path.write_text(head + new + tail, encoding="utf-8")
    with pytest.raises(DamagedBlock, match=message):
        PackedCatalog(str(copy), hashlib.sha256)


@pytest.mark.parametrize("name", ["manifest.json", "components/names", "sev-snp/launch_digests.index"])
def test_a_pipe_does_not_block(copy: Path, name: str) -> None:
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(DamagedBlock, match="not a regular file"):
        PackedCatalog(str(copy), hashlib.sha256)
    with pytest.raises(LdcatError, match="not a regular file"):
        Catalog.open(copy).verify()


def test_without_a_manifest_there_is_no_index(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(DamagedBlock, match="no such file"):
        PackedCatalog(str(copy), hashlib.sha256)


@pytest.mark.parametrize("name", ["sev-snp/launch_digests.index", "sev/launch_digests.index", "components/names"])
def test_a_signed_index_of_nonsense_is_reported_as_damaged(parted: BuildResult, name: str) -> None:
    """Signing nonsense causes no crash, no endless loop and no excessive memory use."""
    whole = (parted.folder / name).read_bytes()
    chance = random.Random(name)
    digests = [digest for _, digest in all_digests(parted)]
    for _ in range(600):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(min(len(whole), 400) if chance.random() < 0.7 else len(whole))
            broken[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        data = bytes(broken[: chance.randrange(len(broken))] if chance.random() < 0.2 else broken)
        try:
            if name == "components/names":
                opened = names.Names(VerifiedBytes(data))
                for kind in range(4):
                    for number in range(min(opened.counts[kind], 50)):
                        opened.record(kind, number)
                continue
            found = index.Index(VerifiedBytes(data), lambda *_: chance.choice(digests))
            for digest in chance.sample(digests, 5):
                for ordinal in found.find(digest):
                    found.group_of(ordinal).at(ordinal)
        except DamagedBlock:
            pass


@pytest.mark.parametrize("compiled", [True, False])
def test_a_batch_finds_the_same_as_single_lookups(
    parted: BuildResult, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(row_records, "lib", None)
    catalog = Catalog.open(parted.folder)
    packed = PackedCatalog(str(parted.folder), hashlib.sha256)
    chance = random.Random(4)
    for technology, entry in parted.manifest.technologies.items():
        held = [digest for name, digest in all_digests(parted) if name == technology]
        digests = [*held, *held[:3], *(chance.randbytes(entry.digest_size) for _ in range(50))]
        digests += [digest[:-1] + bytes([digest[-1] ^ 1]) for digest in held]
        chance.shuffle(digests)
        batch = BatchIndex.open(catalog, technology)
        found = batch.find(b"".join(digests))
        one_by_one = [packed.indexes[technology].find(digest) for digest in digests]
        assert list(found.times) == [len(ordinals) for ordinals in one_by_one]
        assert [n for n, times in zip(found.ordinals, found.times, strict=True) if times] == [
            ordinals[0] for ordinals in one_by_one if ordinals
        ]
        assert batch.find(b"").times == array("I")
        with pytest.raises(ValueError, match="are no"):
            batch.find(b"x")
    packed.close()


def test_a_batch_refuses_damaged_parts(parted: BuildResult, copy: Path) -> None:
    (technology, digest) = all_digests(parted)[-1]
    part = copy / part_names(technology, parted.manifest.technologies[technology].parts)[-1]
    part.write_bytes(part.read_bytes()[:-1])
    batch = BatchIndex.open(Catalog.open(copy), technology)
    with pytest.raises(VerificationFailed):
        batch.find(digest)
    elsewhere = min(digest for name, digest in all_digests(parted) if name == technology)
    assert batch.find(elsewhere).times[0] >= 1  # parts that are not needed are not read
    (copy / technology / "launch_digests.index").write_bytes(b"")
    with pytest.raises(VerificationFailed):
        BatchIndex.open(Catalog.open(copy), technology)
    with pytest.raises(DamagedBlock):
        batch.index.find(digest)
