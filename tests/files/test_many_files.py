"""Many files in batches, synced together or one by one: whole under their names, or nothing of them is left."""

from __future__ import annotations

import errno
import os
import re
import resource
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.errors import DiskFull, LdcatError
from catalog.files import file_system, many_files, new_files, writer
from catalog.files.file_system import FileSystem
from catalog.files.many_files import write_files
from catalog.files.new_files import Data, NewFile

pytestmark = pytest.mark.durable

FILES = {f"{number % 3}/{number}": os.urandom(number * 1000) for number in range(100)}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_BATCH", 7), ("_FEW", 3), ("_PIECE", 5000), ("_AT_ONCE", 20_000)):
        monkeypatch.setattr(many_files, name, value)


@pytest.fixture
def in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without compiled code: every call can be seen."""
    monkeypatch.setattr(new_files, "lib", None)


@pytest.fixture(params=["compiled", "python"] if new_files.lib else ["python"])
def code(request: pytest.FixtureRequest) -> None:
    """With compiled code, if there is any, and without."""
    if request.param == "python":
        request.getfixturevalue("in_python")


@pytest.fixture(params=[True, False], ids=["together", "one by one"])
def synced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Descriptors that were synced: of file systems, or of files where the system cannot do that."""
    calls: list[int] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            calls.append(descriptor)

    monkeypatch.setattr(file_system, "_syncfs", lambda: calls.append if request.param else None)
    monkeypatch.setattr(file_system, "_kind", lambda _: "ext4")
    if not request.param:
        monkeypatch.setattr(os, "fsync", noted)
    return calls


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "full")


def _found(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("synced", "code")
def test_files_are_written_whole(tmp_path: Path) -> None:
    write_files(tmp_path, FILES.items())
    assert _found(tmp_path) == FILES
    more: dict[str, Data] = {"0/0": b"new", "0/3": bytearray(70_000), "0/6": memoryview(b"newer")[:3]}
    write_files(tmp_path, more.items())
    assert _found(tmp_path) == FILES | {"0/0": b"new", "0/3": bytes(70_000), "0/6": b"new"}


@pytest.mark.usefixtures("in_python")
def test_every_file_is_synced(tmp_path: Path, synced: list[int]) -> None:
    write_files(tmp_path, FILES.items())
    assert len(synced) in (14, 100), "100 files are 14 batches of 7, and 2 that are too few"


@pytest.mark.usefixtures("synced", "code")
def test_what_is_private_is_private(tmp_path: Path) -> None:
    write_files(tmp_path / "state", FILES.items(), private=True)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*") if path.is_file()} == {0o600}


@pytest.mark.usefixtures("synced", "in_python")
@pytest.mark.parametrize("call", ["open", "write", "pwritev", "rename"])
def test_an_error_leaves_whole_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, call, _full)
        with pytest.raises(DiskFull):
            write_files(tmp_path, FILES.items())
    assert _found(tmp_path).items() <= FILES.items()


@pytest.mark.usefixtures("synced", "code")
def test_a_file_that_is_too_large_leaves_whole_files_and_nothing_else(tmp_path: Path) -> None:
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, most[1]))
    try:
        with pytest.raises(DiskFull, match=r"/\d/\d+: the file would exceed the largest file size"):
            write_files(tmp_path, FILES.items())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert _found(tmp_path).items() <= FILES.items()


@pytest.mark.usefixtures("synced", "code")
def test_what_cannot_be_named_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "1/7").mkdir(parents=True)
    with pytest.raises(LdcatError, match=re.escape(f"{tmp_path}/1/7: is a directory")):
        write_files(tmp_path, FILES.items())
    assert _found(tmp_path).items() <= FILES.items()


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize("together", [True, False])
def test_what_cannot_be_synced_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(file_system, "_syncfs", lambda: _full if together else None)
        patched.setattr(file_system, "_kind", lambda _: "ext4")
        if not together:
            patched.setattr(os, "fsync", _full)
        with pytest.raises(DiskFull):
            write_files(tmp_path, {name: data for name, data in FILES.items() if name.startswith("0/")}.items())
    assert _found(tmp_path) == {}


@pytest.mark.usefixtures("in_python")
def test_every_file_system_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of a log may be mounts: of two file systems, one may be of a kind that is synced file by file."""
    devices = {(tmp_path / name).stat().st_ino: 77 + number for number, name in enumerate(_made(tmp_path))}
    fstat, fsync = os.fstat, os.fsync
    files: list[str] = []
    disks: list[str] = []

    def elsewhere(descriptor: int) -> Any:
        found = fstat(descriptor)
        return SimpleNamespace(st_dev=devices.get(found.st_ino, 1), st_mode=found.st_mode)

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        files.append(Path(f"/proc/self/fd/{descriptor}").readlink().parent.name)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", elsewhere)
        patched.setattr(os, "fsync", noted)
        patched.setattr(file_system, "_syncfs", lambda: lambda descriptor: disks.append(_name(descriptor)))
        patched.setattr(file_system, "_kind", lambda found: "fuse" if _name(found) == "1" else "ext4")
        write_files(tmp_path, FILES.items())
    assert _found(tmp_path) == FILES
    assert set(disks) == {"0", "2"}
    assert files.count("1") == len([name for name in FILES if name.startswith("1/")])


def _made(root: Path) -> list[str]:
    names = ["0", "1", "2"]
    for name in names:
        (root / name).mkdir()
    return names


def _name(descriptor: int) -> str:
    return Path(f"/proc/self/fd/{descriptor}").readlink().name


def test_little_waits_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of the files, unless a single one is larger."""
    held, most, lock = [0], [0], threading.Lock()
    write_new = new_files.write_new

    def counted(files: Sequence[NewFile], data: Sequence[Data], *, private: bool) -> None:
        try:
            write_new(files, data, private=private)
        finally:
            with lock:
                held[0] -= sum(map(len, data))

    def files() -> Iterator[tuple[str, bytes]]:
        for number in range(60):
            data = bytes(9000)
            with lock:
                held[0] += len(data)
                most[0] = max(most[0], held[0])
            yield str(number), data

    monkeypatch.setattr(many_files, "write_new", counted)
    write_files(tmp_path, files())
    assert most[0] <= 20_000 + 9000


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


@pytest.mark.usefixtures("in_python")
@pytest.mark.parametrize(
    "refusal",
    [
        *(OSError(number, "") for number in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM)),
        NotImplementedError("built without it"),
    ],
)
def test_large_files_are_written_where_the_page_cache_cannot_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    calls = []

    def refuses(*arguments: object) -> int:
        calls.append(arguments)
        raise refusal

    monkeypatch.setattr(os, "pwritev", refuses)
    write_files(tmp_path, FILES.items())
    assert _found(tmp_path) == FILES
    assert calls


def test_a_file_system_is_synced_if_its_kind_and_the_kernel_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def can(kind: str, release: str) -> bool:
        folder = os.open(tmp_path, os.O_PATH)
        file_system._syncfs.cache_clear()
        with monkeypatch.context() as patched:
            patched.setattr(file_system, "_PROCESS", tmp_path)
            patched.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", release, "", "")))
            disk = FileSystem(folder)
            (tmp_path / "fdinfo").mkdir(exist_ok=True)
            (tmp_path / f"fdinfo/{disk._descriptor}").write_text("pos:\t0\nflags:\t02100000\nmnt_id:\t34\n")
            (tmp_path / "mountinfo").write_text(
                f"1 34 0:1 / /proc rw - proc proc rw\n34 1 0:2 / / rw shared:1 - {kind} /dev/disk rw\n"
            )
            try:
                return disk.can_sync
            finally:
                disk.close()
                os.close(folder)

    try:
        assert can("ext4", "6.1.0-50-amd64")
        assert can("btrfs", "5.17.0")
        assert not can("ext4", "5.16.20"), "its syncfs does not report every error"
        assert not can("overlay", "6.1.0"), "others are below it"
        assert not can("fuse.sshfs", "6.1.0")
        assert not can("ext4", "unknown")
    finally:
        file_system._syncfs.cache_clear()


def test_an_error_of_the_file_system_is_raised(tmp_path: Path) -> None:
    """The call itself, of a descriptor that it refuses."""
    call = file_system._syncfs()
    if call is None:
        pytest.skip("this kernel does not report errors")
    descriptor = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OSError, match="Bad file descriptor"):
        call(descriptor)
    os.close(descriptor)
