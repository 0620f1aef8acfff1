"""Many files in batches, synced together or one by one: whole under their names, or nothing of them is left."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.errors import DiskFull, LdcatError
from catalog.files import file_system, many_files, writer
from catalog.files.file_system import FileSystem
from catalog.files.many_files import write_files

FILES = {f"{number % 3}/{number}": os.urandom(number * 1000) for number in range(100)}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_BATCH", 7), ("_FEW", 3), ("_PIECE", 5000), ("_AT_ONCE", 20_000)):
        monkeypatch.setattr(many_files, name, value)


@pytest.fixture(params=[True, False], ids=["together", "one by one"])
def synced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Descriptors that were synced with their file system; none where the system cannot do that."""
    calls: list[int] = []
    if request.param:
        monkeypatch.setattr(file_system, "_syncfs", lambda: calls.append)
        monkeypatch.setattr(file_system, "_kind", lambda _: "ext4")
    else:
        monkeypatch.setattr(file_system, "_syncfs", lambda: None)
    return calls


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "full")


def _found(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_files_are_written_whole(tmp_path: Path, synced: list[int]) -> None:
    write_files(tmp_path, FILES.items())
    assert _found(tmp_path) == FILES
    assert len(synced) in (0, 14), "100 files are 14 batches of 7, and 2 that are too few"
    write_files(tmp_path, {"0/0": b"new"}.items())
    assert _found(tmp_path) == FILES | {"0/0": b"new"}


@pytest.mark.usefixtures("synced")
def test_what_is_private_is_private(tmp_path: Path) -> None:
    write_files(tmp_path / "state", FILES.items(), private=True)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*") if path.is_file()} == {0o600}


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize("call", ["open", "write", "pwritev", "rename"])
def test_an_error_leaves_whole_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, call, _full)
        with pytest.raises(DiskFull):
            write_files(tmp_path, FILES.items())
    assert _found(tmp_path).items() <= FILES.items()


@pytest.mark.parametrize("together", [True, False])
def test_what_cannot_be_synced_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(file_system, "_syncfs", lambda: _full if together else None)
        patched.setattr(file_system, "_kind", lambda _: "ext4")
        if not together:
            patched.setattr(many_files, "sync_file", _full)
        with pytest.raises(DiskFull):
            write_files(tmp_path, FILES.items())
    assert _found(tmp_path) == {}


@pytest.mark.usefixtures("synced")
def test_an_error_of_whoever_makes_the_files_leaves_nothing_half_written(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, bytes]]:
        yield from list(FILES.items())[:50]
        raise LdcatError("broken")

    with pytest.raises(LdcatError, match="broken"):
        write_files(tmp_path, broken())
    found = _found(tmp_path)
    assert found.items() <= FILES.items()
    assert not list(writer.leftovers(tmp_path))


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_large_files_are_written_where_the_page_cache_cannot_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    calls = []

    def refuses(*arguments: object) -> int:
        calls.append(arguments)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwritev", refuses)
    write_files(tmp_path, FILES.items())
    assert _found(tmp_path) == FILES
    assert calls


def test_a_file_system_is_synced_if_its_kind_and_the_kernel_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def can(kind: str, release: str) -> bool:
        calls: list[int] = []
        mounts = tmp_path / "mounts"
        device = tmp_path.stat().st_dev
        mounts.write_text(
            f"1 2 0:1 / /proc rw - proc proc rw\n"
            f"3 4 {os.major(device)}:{os.minor(device)} / / rw shared:1 - {kind} /dev/disk rw\n"
        )
        file_system._syncfs.cache_clear()
        file_system._kind.cache_clear()
        with monkeypatch.context() as patched:
            patched.setattr(file_system, "_MOUNTS", mounts)
            patched.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", release, "", "")))
            folder = os.open(tmp_path, os.O_PATH)
            disk = FileSystem(folder)
            try:
                return disk.sync() and not calls
            finally:
                disk.close()
                os.close(folder)

    try:
        assert can("ext4", "6.1.0-50-amd64")
        assert can("xfs", "5.8.0")
        assert not can("ext4", "5.7.19"), "its syncfs does not report errors"
        assert not can("overlay", "6.1.0"), "others are below it"
        assert not can("fuse.sshfs", "6.1.0")
        assert not can("ext4", "unknown")
    finally:
        file_system._syncfs.cache_clear()
        file_system._kind.cache_clear()


def test_an_error_of_the_file_system_is_raised(tmp_path: Path) -> None:
    """The call itself, of a descriptor that it refuses."""
    call = file_system._syncfs()
    assert call is not None, "this kernel has it"
    descriptor = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OSError, match="Bad file descriptor"):
        call(descriptor)
    os.close(descriptor)
