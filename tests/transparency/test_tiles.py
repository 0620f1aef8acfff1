"""Tiles: written in steps they are the same as written at once; when read, they are verified."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import LdcatError, MalformedInput, Unreadable
from catalog.transparency import merkle
from catalog.transparency.tiles import (
    MAX_ENTRY,
    WIDTH,
    TileReader,
    format_bundle,
    parse_bundle,
    tile_path,
)
from tests.support.logs import MemoryLog, naive_root


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (1, 999, 17, "tile/1/999.p/17"),
        (63, 1000, 256, "tile/63/x001/000"),
        (None, 273, 112, "tile/entries/273.p/112"),
    ],
)
def test_paths_match_the_specification(level: int | None, number: int, width: int, path: str) -> None:
    assert tile_path(level, number, width) == path


def entries(start: int, count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(start, start + count)]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_tiles_written_in_steps_are_the_same_as_written_at_once(counts: list[int]) -> None:
    steps, whole = MemoryLog(), MemoryLog()
    for count in counts:
        steps.append(entries(steps.size, count))
        assert steps.checkpoint().root == naive_root(entries(0, steps.size))
    whole.append(entries(0, sum(counts)))
    assert whole.files.items() <= steps.files.items()
    left = steps.files.keys() - whole.files.keys()
    assert all(".p/" in path for path in left)
    old, new = counts[0], steps.size
    proof = merkle.consistency_proof(old, new, steps.reader.node)
    merkle.verify_consistency(old, new, proof, naive_root(entries(0, old)), steps.checkpoint().root)


def test_70000_leaves_give_the_tiles_listed_in_the_specification() -> None:
    log = MemoryLog()
    log.append([b""] * 70_000)
    names = [path.removeprefix("tile/") for path in log.files]
    assert sum(name.startswith("0/") and ".p/" not in name for name in names) == 273
    assert {name for name in names if ".p/" in name and not name.startswith("entries")} == {
        "0/273.p/112",
        "1/001.p/17",
        "2/000.p/1",
    }
    assert sum(name.startswith("1/") for name in names) == 2


def test_a_full_tile_replaces_a_missing_partial_one() -> None:
    log = MemoryLog()
    log.append(entries(0, 100))
    old = log.checkpoint()
    log.append(entries(100, 300))
    del log.files["tile/0/000.p/100"], log.files["tile/entries/000.p/100"]
    reader = TileReader(log, 100)
    assert merkle.root_hash(100, reader.node) == old.root
    assert reader.entries(0) == entries(0, 100)
    del log.files["tile/0/000"]
    with pytest.raises(Unreadable):
        TileReader(log, 100).tile(0, 0)


def test_the_full_tile_is_not_requested_if_the_host_does_not_answer() -> None:
    class Hanging(MemoryLog):
        def read(self, path: str, at_most: int) -> bytes:
            del at_most
            requests.append(path)
            raise Unreadable("no answer")

    requests: list[str] = []
    with pytest.raises(Unreadable, match="no answer"):
        TileReader(Hanging(), 100).tile(0, 0)
    assert requests == ["tile/0/000.p/100"]


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(32 * 99), bytes(32 * 101)])
def test_tiles_of_another_size_are_refused(data: bytes) -> None:
    log = MemoryLog()
    log.append(entries(0, 100))
    log.files["tile/0/000.p/100"] = data
    with pytest.raises(MalformedInput):
        log.reader.node(0, 5)


def test_tiles_outside_of_the_tree_are_not_requested() -> None:
    log = MemoryLog()
    log.append(entries(0, 100))
    for level, number in ((0, 1), (1, 0), (0, -1), (5, 0)):
        with pytest.raises(MalformedInput, match="has no tile"):
            log.reader.tile(level, number)


@given(st.binary(max_size=3 * 32))
def test_a_forged_tile_proves_nothing(forged: bytes) -> None:
    log = MemoryLog()
    log.append(entries(0, 3))
    checkpoint, path = log.checkpoint(), "tile/0/000.p/3"
    if forged == log.files[path]:
        return
    log.files[path] = forged
    accepted = 0
    for index, entry in enumerate(entries(0, 3)):
        with contextlib.suppress(LdcatError):
            proof = merkle.inclusion_proof(index, 3, log.reader.node)
            merkle.verify_inclusion(merkle.leaf_hash(entry), index, 3, proof, checkpoint.root)
            accepted += 1
    assert accepted < 3


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_entry_bundles_round_trip(found: list[bytes]) -> None:
    data = format_bundle(found)
    assert parse_bundle(data) == found
    for cut in range(1, min(len(data), 3)):
        with pytest.raises(MalformedInput):
            parse_bundle(data + b"\xff" * cut)


def test_invalid_entry_bundles_are_refused() -> None:
    assert parse_bundle(format_bundle([bytes(MAX_ENTRY)])) == [bytes(MAX_ENTRY)]
    with pytest.raises(MalformedInput, match="65535"):
        format_bundle([bytes(MAX_ENTRY + 1)])
    with pytest.raises(MalformedInput, match="more than 256"):
        parse_bundle(bytes(2 * (WIDTH + 1)))
    log = MemoryLog()
    log.append(entries(0, 5))
    log.files["tile/entries/000.p/5"] = format_bundle(entries(0, 4))
    with pytest.raises(MalformedInput, match="has 4 entries"):
        log.reader.entries(0)


def changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("path", "index", "said"),
    [
        ("tile/0/001", 300, "entry 511 of the log, in tile/entries/001, does not match its tile, tile/0/001"),
        ("tile/entries/001", 300, "entry 511 of the log, in tile/entries/001, does not match its tile, tile/0/001"),
        ("tile/1/000.p/2", 300, "tile/0/001 does not match tile/1/000.p/2"),
        (
            "tile/0/002.p/88",
            3,
            "entry 599 of the log, in tile/entries/002.p/88, does not match its tile, tile/0/002.p/88",
        ),
        ("tile/0/001", 3, None),  # neither the leaf nor the last one is beside it
        ("nothing", 3, None),
    ],
)
def test_a_proof_that_fails_names_the_files_that_contradict_each_other(path: str, index: int, said: str | None) -> None:
    log = MemoryLog()
    log.append(entries(0, 600))
    log.files |= {path: changed(log.files.get(path, b"x"))}
    assert TileReader(log, 600).proof_fault(index) == said


def test_a_file_that_is_missing_is_named() -> None:
    log = MemoryLog()
    log.append(entries(0, 600))
    del log.files["tile/entries/001"]
    reader = TileReader(log, 600)
    assert "tile/entries/001" in (reader.proof_fault(300) or "")
    assert "tile/entries/001" in (reader.first_entry_fault() or "")
    log.files["tile/entries/001"] = b"\0"
    with pytest.raises(MalformedInput, match=r"^tile/entries/001: a bundle of entries is cut off") as caught:
        reader.entries(1)
    assert "ldcat doctor" in (caught.value.hint or "")
