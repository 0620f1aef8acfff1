"""Files of a local log, read many at once: what is not taken is read by itself, and refused as without that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from catalog.errors import LdcatError
from catalog.log.leaves import leaf_code, read_leaves
from catalog.log.leaves.bundle_files import ENOUGH, BundleFiles, bundle_files, end_of_folder
from catalog.log.leaves.entries import Entries
from catalog.log.leaves.leaf_block import Leaf, LeafBlock
from catalog.log.leaves.read_leaves import log_parts
from catalog.log.leaves.tile_check import TileCheck
from catalog.log.log_folder import LogFolder, StateFolder
from catalog.log.log_walk import LogWalk
from catalog.transparency.tiles import WIDTH, TileReader
from tests.support.log_rows import CODE, row
from tests.support.logs import NOW, MemoryLog

BUNDLES = 7
AT_ONCE = 4
COMPILED = leaf_code.lib is not None


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few bundles are read at once, so that few are read twice."""
    monkeypatch.setattr(read_leaves, "_AT_ONCE", AT_ONCE)


@pytest.fixture(scope="module")
def memory() -> MemoryLog:
    log = MemoryLog()
    log.append([row(vcpus=n % 60_000, launch_digest=f"{n:096x}") for n in range(BUNDLES * WIDTH + 7)])
    return log


@pytest.fixture
def log(memory: MemoryLog, tmp_path: Path) -> LogFolder:
    for path, data in memory.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return LogFolder(tmp_path)


def read(log: LogFolder, size: int, first: int = 0) -> tuple[list[Leaf], str, bool]:
    """The leaves up to an error, the error, and whether the tiles are right."""
    reader, found = TileReader(log, size), list[Leaf]()
    tiles = TileCheck(reader)
    try:
        for part in log_parts(reader, first, size, rows=True, root=log.root, tiles=tiles):
            found += part.leaves() if isinstance(part, LeafBlock) else (part,)
    except LdcatError as error:
        return found, f"{type(error).__name__}: {error} ({error.hint})", tiles.same
    return found, "", tiles.same


def test_full_bundles_are_taken_at_once(log: LogFolder, memory: MemoryLog) -> None:
    with bundle_files(log.root) as files:
        assert files
        taken = files.read(2, BUNDLES)
        assert files.read(3, 3) is None
    if COMPILED:
        assert taken
        assert list(taken) == [entry for n in range(2, BUNDLES) for entry in memory.reader.entries(n)]
    else:
        assert taken is None
    with bundle_files(None) as none:
        assert none is None
    assert (end_of_folder(0), end_of_folder(999), end_of_folder(1000)) == (1000, 1000, 2000)


@pytest.mark.parametrize("first", [0, 5, 256, BUNDLES * WIDTH + 1])
def test_leaves_of_a_folder_are_those_in_memory(log: LogFolder, memory: MemoryLog, first: int) -> None:
    expected = list[Leaf]()
    for part in log_parts(memory.reader, first, memory.size, rows=True):
        expected += part.leaves() if isinstance(part, LeafBlock) else (part,)
    for lib in CODE:
        with patch.object(leaf_code, "lib", lib):
            assert read(log, memory.size, first) == (expected, "", True)


def linked(path: Path) -> None:
    """A link to the same bytes, which is not followed."""
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def opened_up(path: Path) -> None:
    """A pipe, which nobody writes to."""
    path.unlink()
    os.mkfifo(path)


FAULTS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "a link": linked,
    "a pipe": opened_up,
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0\1x"),
    "shorter": lambda path: path.write_bytes(path.read_bytes()[: -len(row(launch_digest="0" * 96, vcpus=9000)) - 2]),
    "too long": lambda path: path.write_bytes(bytes(ENOUGH + 1)),
    "other": lambda path: path.write_bytes(path.read_bytes().replace(b"qemu", b"qemo")),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", [0, 2, 6])
def test_a_fault_of_a_bundle_is_found_as_without_compiled_code(
    log: LogFolder, memory: MemoryLog, number: int, fault: str
) -> None:
    FAULTS[fault](log.root / f"tile/entries/{number:03}")
    found = []
    for lib in CODE:
        with patch.object(leaf_code, "lib", lib):
            found.append(read(log, memory.size))
    assert all(each == found[0] for each in found)
    leaves, why, same = found[0]
    assert same == bool(why)
    assert why or len(leaves) == memory.size
    assert not why or len(leaves) == number * WIDTH


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", ["000", "006", "007.p/7"])
def test_a_fault_of_a_tile_is_found(log: LogFolder, memory: MemoryLog, number: str, fault: str) -> None:
    path = log.root / f"tile/0/{number}"
    if fault == "other":
        path.write_bytes(path.read_bytes()[::-1])
    else:
        FAULTS[fault](path)
    for lib in CODE:
        with patch.object(leaf_code, "lib", lib):
            leaves, why, same = read(log, memory.size)
            assert (len(leaves), why, same) == (memory.size, "", False)


def test_a_folder_that_is_a_link_is_not_followed(log: LogFolder, memory: MemoryLog) -> None:
    linked(log.root / "tile/entries")
    leaves, why, _ = read(log, memory.size)
    assert not leaves
    assert "is a symbolic link, which is not followed" in why


def open_files() -> int:
    """How many descriptors this process has; 0 if the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_folders_are_opened_one_after_the_other_and_closed(tmp_path: Path) -> None:
    entries = [row(vcpus=n) for n in range(WIDTH)]
    for path in ("998", "999", "x001/000", "x001/001"):
        file = tmp_path / "tile/entries" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(Entries.of(entries).data))
    before = open_files()
    files = BundleFiles(tmp_path)
    for first in (998, 1000, 998):
        taken = files.read(first, first + 2)
        assert not COMPILED or (taken and list(taken) == 2 * entries)
    assert files.read(2000, 2001) is None  # no such folder
    assert files.same_tiles(0, bytes(WIDTH * 32)) == 0
    files.close()
    assert open_files() == before


def test_files_of_state_and_of_hosts_are_read_one_by_one(log: LogFolder, memory: MemoryLog) -> None:
    with patch("catalog.log.log_walk.log_parts", side_effect=LdcatError("asked")) as asked:
        for folder in (log, StateFolder(log.root), memory):
            with pytest.raises(LdcatError, match="asked"):
                LogWalk(folder, memory.checkpoint(), NOW).whole()
    assert [call.kwargs["root"] for call in asked.call_args_list] == [log.root, None, None]
