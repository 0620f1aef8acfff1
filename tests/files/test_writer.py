"""The file writer: files appear complete or not at all, no link is followed, and no temporary file is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.errors import DiskFull, Unreadable, UsageError
from catalog.fast.beneath import Linked, Shared, open_file, open_folder, there, walk
from catalog.files import new_files, writer
from catalog.log.log_folder import CHECKPOINT, LogFolder, StateFolder
from catalog.publish.key_files import new_key, read_keys, write_keys
from catalog.transparency.keys import SignatureType

pytestmark = pytest.mark.durable

OUTSIDE = b"what somebody else keeps"


def modes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mode & 0o7777 for path in sorted(root.rglob("*"))}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.mkdir()
    (path / "file").write_bytes(OUTSIDE)
    return path


def test_a_log_is_not_written_through_a_link(tmp_path: Path, outside: Path) -> None:
    log = LogFolder(tmp_path / "log")
    log.write([("checkpoint", b"1"), ("releases/1/a", b"1")])
    (log.root / "checkpoint").unlink()
    (log.root / "checkpoint").symlink_to(outside / "file")
    (log.root / ".checkpoint.partial").symlink_to(outside / "file")
    log.write([(CHECKPOINT, b"2")])
    assert not (log.root / CHECKPOINT).is_symlink()
    assert log.read(CHECKPOINT, 1) == b"2"
    (log.root / "releases/2").symlink_to(outside)
    for name in ("releases/2/file", "releases/2/new/file"):
        with pytest.raises(Unreadable, match="log/releases/2 is a symbolic link, which is not followed"):
            log.write([(name, b"2")])
    assert not log.link("releases/1/a", "releases/2/a", b"1")
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"file": OUTSIDE}


def test_the_folder_named_by_the_user_may_be_a_link(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "log").symlink_to(outside)
    log = LogFolder(tmp_path / "log")
    log.write([("tile/0/000", b"1")])
    assert log.read("tile/0/000", 1) == (outside / "tile/0/000").read_bytes() == b"1"


def test_leftovers_of_a_crash_are_removed_without_following_links(tmp_path: Path, outside: Path) -> None:
    log = LogFolder(tmp_path / "log")
    log.write([("tile/0/000", b"1")])
    (log.root / "tile/0" / writer.partial_name()).write_bytes(b"half")
    (log.root / "tile/.001.partial").write_bytes(b"as 0.1.0 left it")
    (log.root / ".checkpoint.partial").symlink_to(outside / "file")
    (log.root / "releases").symlink_to(outside)
    assert len(list(writer.leftovers(log.root))) == 3
    log.clear()
    assert [name for name, _ in walk(log.root)] == ["releases", "tile/0/000"]
    assert [path.name for path in outside.iterdir()] == ["file"]
    with pytest.raises(Unreadable, match="log/releases is a symbolic link"):
        log.clear("releases/1")
    (log.root / "releases").unlink()
    (log.root / "releases").mkdir()
    (log.root / "releases/1").symlink_to(outside)
    with pytest.raises(Unreadable, match="log/releases/1 is a symbolic link"):
        log.clear("releases/1")


def test_no_name_leads_out_of_a_folder(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("../outside/file", "/etc/passwd", "a/../../outside/file", "", ".", "..", "a//b"):
        with pytest.raises(OSError, match=r"not the name of a file|No such file"):
            open_file(tmp_path / "in", name)
    with pytest.raises(ValueError, match="null"):
        open_file(tmp_path / "in", "a\0b")
    (tmp_path / "in/link").symlink_to(outside / "file")
    with pytest.raises(Linked):
        open_file(tmp_path / "in", "link")
    assert there(tmp_path / "in", "link")
    assert not there(tmp_path / "in", "nowhere/link")


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077, 0o777])
def test_state_is_private_to_the_user_for_every_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / "home").mkdir()
    before = os.umask(umask)
    try:
        state = StateFolder(tmp_path / "home/ldcat/seen")
        state.write([("one.note", b"1"), ("evidence/one.note", b"2")])
        with state.locked():
            pass
    finally:
        os.umask(before)
    found = modes(tmp_path / "home")
    assert {mode for name, mode in found.items() if name.endswith((".note", "-lock"))} == {0o600}
    assert {found[name] for name in ("ldcat", "ldcat/seen", "ldcat/seen/evidence")} == {0o700}


@pytest.mark.parametrize("mode", [0o020, 0o002])
@pytest.mark.parametrize("name", ["", "one.note"])
def test_state_that_others_can_write_is_not_used(tmp_path: Path, name: str, mode: int) -> None:
    state = StateFolder(tmp_path / "seen")
    state.write([("one.note", b"1")])
    changed = tmp_path / "seen" / name
    changed.chmod(changed.stat().st_mode | mode)
    with pytest.raises(Unreadable, match="not trusted: others can write it") as raised:
        state.read("one.note", 1)
    assert raised.value.hint == f"check that nobody changed it, then: chmod go-w {tmp_path / 'seen' / name}".rstrip("/")
    if not name:
        with pytest.raises(Unreadable, match="not trusted"):
            state.write([("two.note", b"2")])
        assert [path.name for path in (tmp_path / "seen").iterdir()] == ["one.note"]
    changed.chmod(0o700)
    assert state.read("one.note", 1) == b"1"


def test_state_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = StateFolder(tmp_path / "seen")
    state.write([("one.note", b"1")])
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    if os.getuid() == 0:
        assert state.read("one.note", 1) == b"1"  # state of root is accepted
        os.chown(tmp_path / "seen/one.note", 3_999_999, -1)
    with pytest.raises(Unreadable, match="not trusted: belongs to user"):
        state.read("one.note", 1)


def test_the_parent_of_a_new_folder_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    LogFolder(tmp_path / "a/b").write([("c/d/file", b"1")])
    made = {tmp_path / name for name in ("a", "a/b", "a/b/c", "a/b/c/d")}
    assert {path.parent for path in made} | made <= set(synced)


@pytest.mark.parametrize("number", [28, 122, 27])
@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
def test_a_full_disk_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    log = LogFolder(tmp_path / "log")
    log.write([(CHECKPOINT, b"1")])

    def full(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        patched.setattr(new_files, "lib", None)
        with pytest.raises(DiskFull) as raised:
            log.write([("releases/1/file" if call == "mkdir" else CHECKPOINT, b"2")])
    assert raised.value.hint
    assert log.read(CHECKPOINT, 1) == b"1"
    assert not log.has("releases")
    assert not list(writer.leftovers(log.root))


class Stopped(BaseException):
    """Like KeyboardInterrupt: may be raised anywhere."""


CALLS = ("open", "fchmod", "fsync", "link", "rename", "close")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), OSError(5, "I/O error"), Stopped()])
@pytest.mark.parametrize("unnamed", [True, False])
def test_a_failed_keygen_leaves_no_stray_private_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool, failure: BaseException
) -> None:
    """Each system call fails once: afterwards there is no key, or one under the requested name."""
    if not unnamed:
        monkeypatch.setattr(writer, "_unnamed", lambda folder: None)
    pairs = [new_key("example.com/log", SignatureType.ED25519)]
    failed = 0
    for call in CALLS:
        for number in range(1, 20):
            left = [number]
            with monkeypatch.context() as patched:
                real = getattr(os, call)

                def failing(*args: object, real: object = real, left: list[int] = left, **named: object) -> object:
                    left[0] -= 1
                    if left[0] == 0:
                        raise failure
                    return real(*args, **named)  # type: ignore[operator]

                patched.setattr(os, call, failing)
                try:
                    write_keys(tmp_path / "key", pairs, None)
                except (Unreadable, Stopped):
                    failed += 1
            found = {path.name for path in tmp_path.iterdir()}
            assert found in (set(), {"key"}, {"key", "key.pub"})
            if found:
                read_keys(tmp_path / "key", None)
            for name in found:
                (tmp_path / name).unlink()
            if left[0] > 0:
                break
    assert failed >= 4


def test_a_key_file_has_no_name_until_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, names = os.fsync, []

    def looking(descriptor: int) -> None:
        names.append(sorted(path.name for path in tmp_path.iterdir()))
        fsync(descriptor)

    probe = open_folder(tmp_path)
    unnamed = writer._unnamed(probe)
    os.close(probe)
    if unnamed is None:
        pytest.skip("this file system has no files without a name")
    os.close(unnamed)
    monkeypatch.setattr(os, "fsync", looking)
    write_keys(tmp_path / "key", [new_key("example.com/log", SignatureType.ED25519)], None)
    assert names[:2] == [[], ["key"]]
    with pytest.raises(UsageError, match="already exists"):
        write_keys(tmp_path / "key", [new_key("example.com/log", SignatureType.ED25519)], None)


def test_check_private_reports_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o666)
    tmp_path.chmod(0o700)
    with pytest.raises(Shared) as raised:
        open_file(tmp_path, "file", private=True)
    assert (raised.value.filename, raised.value.strerror) == (f"{tmp_path}/file", "others can write it")
