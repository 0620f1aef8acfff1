"""The one writer of files: exclusive, under a random name, synced, and only then put in its place; no link is followed.

A reader sees a file whole or not at all, whatever happens while it is written. What a crash leaves behind has a name
that `is_partial` tells, and is nobody's file yet.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path

from catalog.fast.beneath import check_private, open_folder, step, walk

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILES = "/proc/self/fd"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_BEFORE, _AFTER = ".ldcat-", ".partial"

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def partial_name() -> str:
    """A name that nobody can know before, of what is not whole yet."""
    return f"{_BEFORE}{os.urandom(8).hex()}{_AFTER}"


def is_partial(name: str) -> bool:
    """Whether a file of that name is one that was never finished; those of ldcat 0.1.0 are named `.NAME.partial`."""
    return name.startswith(".") and name.endswith(_AFTER)


@contextmanager
def placed(folder: int, name: str, *, over: bool = True, private: bool = False) -> Iterator[BufferedWriter]:
    """Give a new file to fill, which has that name in an open folder at the end, and not before; on any error nothing
    has changed. The folder is not synced yet.

    over: in place of a file or link that is there; else raises FileExistsError. Raises OSError.
    """
    partial = partial_name()
    descriptor = os.open(partial, _NEW, PRIVATE_FILE if private else 0o666, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - there is no path that is open already
            if private:
                os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
            yield file
            file.flush()
            os.fsync(descriptor)
        if over:
            os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            _name_new(folder, partial, folder, name)
    finally:
        with suppress(OSError):
            os.unlink(partial, dir_fd=folder)


@contextmanager
def placed_secret(folder: int, name: str) -> Iterator[BufferedWriter]:
    """As `placed`, of a file for its owner alone that is never in place of another one, synced with its folder.

    It has no name until it is whole, so that no other name of it can be left. Where a file system has no such files it
    has one for that time, during which no signal ends this process but SIGKILL.
    """
    descriptor = _unnamed(folder)
    if descriptor is None:
        with _held_signals(), placed(folder, name, over=False, private=True) as file:
            yield file
    else:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - there is no path at all
            os.fchmod(descriptor, PRIVATE_FILE)
            yield file
            file.flush()
            os.fsync(descriptor)
            os.link(f"{_OPEN_FILES}/{descriptor}", name, dst_dir_fd=folder)  # linkat with AT_SYMLINK_FOLLOW
    try:
        sync_folder(folder)
    except OSError:
        with suppress(OSError):  # who is told that it failed makes another one
            os.unlink(name, dir_fd=folder)
        raise


@contextmanager
def opened(root: str | os.PathLike[str], name: str = "", *, private: bool = False) -> Iterator[int]:
    """A folder below another one, to write in; both are made where they are not there, and what they are in is synced.

    private: for its user alone, whatever the umask; raises Shared where it is there and is not. Raises Linked, OSError.
    """
    made_folders(Path(root), private=private)
    folder = open_folder(root, private=private)
    try:
        path = os.fspath(root)
        for part in name.split("/") if name else ():
            path = f"{path}/{part}"
            _make(part, folder, private=private)
            inner = step(folder, part, path)
            os.close(folder)
            folder = inner
            if private:
                check_private(folder, path)
        yield folder
    finally:
        os.close(folder)


def made_folders(path: Path, *, private: bool = False) -> None:
    """A folder that people named, and those it is in, of which any may be a link; raises OSError."""
    missing = []
    while not os.path.lexists(path):
        missing.append(path)
        path = path.parent
    for inner in reversed(missing):
        above = open_folder(inner.parent)
        try:
            _make(inner.name, above, private=private)
        finally:
            os.close(above)


def open_lock(folder: int, name: str, *, private: bool = False) -> int:
    """A file of an open folder to lock, made where it is not there; raises OSError, for a link too."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, PRIVATE_FILE if private else 0o644, dir_fd=folder)
    try:
        if private and os.fstat(descriptor).st_mode & 0o777 != PRIVATE_FILE:
            os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def sync_folder(folder: int) -> None:
    """The names that an open folder has. One that may be written and not read is left to the system. Raises OSError."""
    try:
        descriptor = os.open(".", _FOLDER, dir_fd=folder)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new folder for its user alone, in the same folder as `path`, for a library that writes files itself; it is
    removed at the end, with what is in it. Raises OSError.
    """
    folder = path.with_name(partial_name())
    folder.mkdir(PRIVATE_FOLDER)
    try:
        folder.chmod(PRIVATE_FOLDER)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(made: Path, path: Path) -> None:
    """Give a file of `beside` its place, synced; raises FileExistsError where something is there, OSError."""
    descriptor = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    source = target = -1
    try:
        source, target = open_folder(made.parent), open_folder(path.parent)
        _name_new(source, made.name, target, path.name)
        sync_folder(target)
    finally:
        for folder in (source, target):
            if folder >= 0:
                os.close(folder)


def leftovers(root: Path) -> Iterable[str]:
    """Names below a folder of what was never finished; raises OSError."""
    return [name for name, kind in walk(root) if is_partial(name.rpartition("/")[2]) and kind != "other"]


def remove(root: Path, name: str) -> None:
    """A file or link below a folder, synced; nothing where it is gone. Raises Linked, OSError."""
    inner, _, last = name.rpartition("/")
    folder = open_folder(root, inner)
    try:
        with suppress(FileNotFoundError):
            os.unlink(last, dir_fd=folder)
        sync_folder(folder)
    finally:
        os.close(folder)


def _name_new(source: int, partial: str, target: int, name: str) -> None:
    """Give a file a name where nothing has it; raises FileExistsError, OSError."""
    try:
        os.link(partial, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(name, _NEW, PRIVATE_FILE, dir_fd=target))  # the name is ours now
        os.rename(partial, name, src_dir_fd=source, dst_dir_fd=target)


def remove_folder(root: Path, name: str) -> None:
    """A folder below a folder, with what is in it, synced. Raises Linked for a link, OSError."""
    inner, _, last = name.rpartition("/")
    folder = open_folder(root, inner)
    try:
        os.close(step(folder, last, f"{root}/{name}"))
        shutil.rmtree(last, dir_fd=folder)
        sync_folder(folder)
    finally:
        os.close(folder)


def _make(name: str, folder: int, *, private: bool) -> None:
    try:
        os.mkdir(name, PRIVATE_FOLDER if private else 0o777, dir_fd=folder)
    except FileExistsError:
        return
    if private:
        os.chmod(name, PRIVATE_FOLDER, dir_fd=folder)  # whatever the umask
    sync_folder(folder)


def _unnamed(folder: int) -> int | None:
    """A new file without a name, to be linked; None where that cannot be."""
    if not hasattr(os, "O_TMPFILE") or not Path(_OPEN_FILES).is_dir():
        return None
    try:
        return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, PRIVATE_FILE, dir_fd=folder)
    except OSError:
        return None  # what else is wrong is said when the file gets a name


@contextmanager
def _held_signals() -> Iterator[None]:
    """They come at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
