"""Shared storage: where it is, what it gives back, and what it does when it fails."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import fsspec
import pytest

from catalog.errors import DiskFull, Unreadable, UsageError
from catalog.files.direct_io import allocated
from catalog.work import folder_storage, object_storage, storage
from catalog.work.folder_storage import FolderStorage
from catalog.work.object_storage import ObjectStorage
from catalog.work.storage import Gone, Storage, present, tried
from catalog.work.storage_url import open_storage

DATA = os.urandom(20000)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_WAITS", (0.0, 0.0, 0.0))


@pytest.fixture(params=["folder", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path / "shared") if request.param == "folder" else f"memory://{tmp_path.name}/x")


def put(where: Storage, name: str, data: bytes) -> None:
    memory = allocated(len(data) + 4096)
    memory[: len(data)] = data
    where.put(name, memory, len(data))


def test_files_are_there_as_they_were_written(opened: Storage) -> None:
    job = pickle.loads(pickle.dumps(opened.below("job")))
    put(job, "one", DATA)
    put(job, "one", DATA)
    put(job, "none", b"")
    job.put_chunks("two", lambda: iter([memoryview(DATA)[:5000], memoryview(DATA)[5000:]]))
    wanted = [("one", 0, 20000), ("two", 4095, 4098), ("one", 19999, 1), ("none", 0, 0)]
    found = [bytes(data) for data in job.ranges(wanted)]
    assert found == [DATA, DATA[4095:8193], DATA[19999:], b""]
    job.remove()
    job.remove()
    with pytest.raises(Gone):
        next(job.ranges([("one", 0, 1)]))


def test_ranges_that_are_gone_are_named_by_their_place(opened: Storage) -> None:
    job = opened.below("job")
    put(job, "one", DATA)
    wanted = [("one", 0, 5), ("two", 0, 5), ("one", 19998, 3), ("one", 1, 1), ("three", 0, 1)]
    assert [(place, data and bytes(data)) for place, data in present(job, wanted)] == [
        (0, DATA[:5]), (1, None), (2, None), (3, DATA[1:2]), (4, None),
    ]  # fmt: skip


def test_more_ranges_than_are_fetched_at_once(opened: Storage) -> None:
    job = opened.below("job")
    put(job, "one", DATA)
    assert b"".join(bytes(data) for data in job.ranges([("one", 100 * at, 100) for at in range(200)])) == DATA


def test_objects_are_fetched_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_storage, "_RANGES_AT_ONCE", 3)
    monkeypatch.setattr(object_storage, "_BYTES_AT_ONCE", 10)
    batches = object_storage._batches([("one", 0, size) for size in (5, 5, 1, 20, 3, 3, 3, 1)])
    assert [[size for _, _, size in some] for some in batches] == [[5, 5], [1], [20], [3, 3, 3], [1]]


def test_a_link_is_the_same_file(tmp_path: Path) -> None:
    job = FolderStorage(str(tmp_path / "shared")).below("job")
    put(job, "one", DATA)
    assert job.linked("one", tmp_path / "linked")
    assert (tmp_path / "linked").read_bytes() == DATA
    assert not job.linked("one", tmp_path / "linked"), "there is a file already"
    with pytest.raises(Gone):
        job.linked("two", tmp_path / "other")
    Path(job.root, "three").symlink_to(tmp_path / "linked")
    with pytest.raises(Gone):
        job.linked("three", tmp_path / "other")
    assert not ObjectStorage("memory://x").linked("one", tmp_path / "other")


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "job").symlink_to(outside)
    with pytest.raises(Unreadable, match="not a folder"):
        FolderStorage(str(tmp_path / "shared")).below("job")
    job = FolderStorage(str(tmp_path / "shared")).below("other")
    (outside / "secret").write_bytes(DATA)
    Path(job.root, "one").symlink_to(outside / "secret")
    with pytest.raises(Unreadable):
        next(job.ranges([("one", 0, 5)]))
    put(job, "one", b"new")
    assert (outside / "secret").read_bytes() == DATA


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = FolderStorage(str(tmp_path)).below("job")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_storage, "write_at", full)
    with pytest.raises(DiskFull, match="no space is left"):
        put(job, "one", DATA)
    assert list(Path(job.root).iterdir()) == []


@pytest.mark.parametrize("failures", range(5))
def test_an_operation_is_tried_four_times(failures: int) -> None:
    calls: list[int] = []

    def operation() -> str:
        calls.append(1)
        if len(calls) <= failures:
            raise RuntimeError("https://host/?X-Amz-Signature=secret")
        return "done"

    if failures < 4:
        assert tried(operation, "s3://bucket/one") == "done"
    else:
        with pytest.raises(Unreadable) as error:
            tried(operation, "s3://bucket/one")
        assert str(error.value) == "s3://bucket/one: RuntimeError"
    assert len(calls) == min(failures + 1, 4)


def test_errors_of_an_object_store_are_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = ObjectStorage(f"memory://{tmp_path.name}").below("job")
    files = fsspec.filesystem("memory")
    failed: list[str] = []

    def once(name: str) -> Any:
        real = getattr(type(files), name)

        def method(self: Any, *given: Any, **named: Any) -> Any:
            if name not in failed:
                failed.append(name)
                raise ConnectionError
            return real(self, *given, **named)

        return method

    for name in ("pipe_file", "cat_ranges", "rm"):
        monkeypatch.setattr(type(files), name, once(name))
    put(job, "one", DATA)
    assert bytes(next(job.ranges([("one", 0, 5)]))) == DATA[:5]
    job.remove()
    assert failed == ["pipe_file", "cat_ranges", "rm"]


def test_where_storage_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_storage("shared") == FolderStorage(f"{tmp_path}/shared")
    assert open_storage(f"file://{tmp_path}/shared") == FolderStorage(f"{tmp_path}/shared")
    assert open_storage("memory://bucket/a-b_c.d/") == ObjectStorage("memory://bucket/a-b_c.d")


@pytest.mark.parametrize(
    "url",
    [
        "", "::", "s3://", "s3://key:secret@bucket/path", "s3://bucket/path?secret=1", "s3://bucket/../other",
        "simplecache::s3://bucket", "s3://bucket/a b", "file://host/path", "s3://bucket#x", "S3://bucket",
    ],
)  # fmt: skip
def test_no_storage(url: str) -> None:
    with pytest.raises(UsageError) as error:
        open_storage(url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "hint"), [("nonsense://bucket", "s3://BUCKET"), ("gs://bucket", "gcsfs"), ("az://bucket", "adlfs")]
)
def test_the_package_of_a_store_is_named(url: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    monkeypatch.setitem(__import__("sys").modules, "adlfs", None)
    with pytest.raises(UsageError, match="is installed") as error:
        open_storage(url)
    assert hint in (error.value.hint or "")
