"""Direct I/O and reused buffers: no bytes are lost, on any file system."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.errors import LdcatError
from catalog.files import direct_io
from catalog.files.direct_io import ALIGNED, Appended, ScratchBuffer, allocated, write_file


@pytest.fixture(params=[direct_io._DIRECT, 0], ids=["direct", "cached"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_io, "_DIRECT", request.param)


@pytest.mark.parametrize("size", [0, 1, ALIGNED - 1, ALIGNED, ALIGNED + 1, 5 * ALIGNED, 300_000])
def test_a_file_contains_the_bytes_of_the_buffer(tmp_path: Path, size: int) -> None:
    path, memory = tmp_path / "file", ScratchBuffer().of(300_000 + ALIGNED)
    path.write_bytes(bytes(400_000))  # the old contents are gone
    data = random.Random(size).randbytes(size)
    memory[:size] = data
    memory[size : size + 100] = b"x" * 100  # left by an earlier use
    write_file(path, memory, size)
    assert path.read_bytes() == data


@pytest.mark.parametrize("total", [0, 1, ALIGNED, 2 * ALIGNED, 2 * ALIGNED + 1, 100_000])
def test_appended_bytes_are_returned(tmp_path: Path, total: int) -> None:
    chance, appended = random.Random(total), Appended(tmp_path / "file", 2 * ALIGNED)
    data = chance.randbytes(total)
    at = 0
    while at < total:
        size = chance.randrange(1, 9000)
        appended.append(memoryview(data)[at : at + size])
        at += size
    assert appended.size == total
    assert (tmp_path / "file").exists() == (total >= 2 * ALIGNED)
    assert bytes(appended.take()) == data
    assert not (tmp_path / "file").exists()


def test_several_threads_may_append(tmp_path: Path) -> None:
    appended = Appended(tmp_path / "file", ALIGNED)
    pieces = [bytes([number]) * 1000 for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(appended.append, map(memoryview, pieces)))
    taken = bytes(appended.take())
    assert sorted(taken[at : at + 1000] for at in range(0, len(taken), 1000)) == pieces


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    appended = Appended(tmp_path / "file", ALIGNED)
    appended.append(memoryview(bytes(5 * ALIGNED)))
    os.truncate(tmp_path / "file", 2 * ALIGNED)
    with pytest.raises(LdcatError, match="shorter"):
        appended.take()


def test_each_thread_has_its_own_buffer() -> None:
    room = ScratchBuffer()
    mine = room.of(10)
    mine[:] = b"mine......"
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: bytes(room.of(10))).result() == bytes(10)
    assert bytes(room.of(10)) == b"mine......"
    assert len(room.of(100_000)) == 100_000


@pytest.mark.parametrize("size", [1, 4095, 4096, 100_000])
def test_allocated_memory_is_aligned(size: int) -> None:
    memory = allocated(size)
    assert len(memory) == size
    assert direct_io.address(memory) % ALIGNED == 0
