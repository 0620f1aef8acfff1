"""Writes a file: under a random name, synced, then renamed into place; no symbolic link is followed.

`many_files.py` writes many. Every file of ldcat is written in one of these two ways.

A reader sees a file whole or not at all, whatever happens while it is written. After a crash a file with a partial
name may be left, which `is_partial` recognises and nobody uses.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from itertools import count
from pathlib import Path

from catalog.fast.beneath import check_private, open_folder, step, walk

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILES = "/proc/self/fd"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_BEFORE, _AFTER = ".ldcat-", ".partial"

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def partial_name() -> str:
    """An unpredictable name for a file that is not complete yet."""
    return f"{_BEFORE}{os.urandom(8).hex()}{_AFTER}"


def partial_names() -> Iterator[str]:
    """Yield different names for files that are not complete yet, with one unpredictable prefix."""
    prefix = os.urandom(8).hex()
    for number in count():
        yield f"{_BEFORE}{prefix}-{number}{_AFTER}"


def is_partial(name: str) -> bool:
    """Whether a name is that of an incomplete file; ldcat 0.1.0 named them `.NAME.partial`."""
    return name.startswith(".") and name.endswith(_AFTER)


@contextmanager
def placed(folder: int, name: str, *, over: bool = True, private: bool = False) -> Iterator[BufferedWriter]:
    """Yield a new file to fill, and give it its name in an open folder at the end; on any error nothing has changed.

    The folder is not synced. Raises OSError.

    folder: descriptor.
    over: replace an existing file or link; if false, raises FileExistsError.
    private: readable by its owner only.
    """
    partial, is_named = partial_name(), False
    descriptor = os.open(partial, NEW_FILE, PRIVATE_FILE if private else 0o666, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - there is no path that is open already
            if private:
                os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
            yield file
            file.flush()
            os.fsync(descriptor)
        if over:
            os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
            is_named = True
        else:
            _name_new(folder, partial, folder, name)
    finally:
        if not is_named:
            with suppress(OSError):
                os.unlink(partial, dir_fd=folder)


@contextmanager
def placed_secret(folder: int, name: str) -> Iterator[BufferedWriter]:
    """As `placed`, for a private file that never replaces another one; its folder is synced, too.

    The file has no name until it is complete (O_TMPFILE), so that none can be left behind. On file systems without
    unnamed files it has a partial name for that time, and signals other than SIGKILL are held back.
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
        with suppress(OSError):  # the caller sees an error, and would write another secret
            os.unlink(name, dir_fd=folder)
        raise


@contextmanager
def opened(root: str | os.PathLike[str], name: str = "", *, private: bool = False) -> Iterator[int]:
    """A descriptor of a folder `name` below `root`, to write in. Missing folders are created, and their parents synced.

    private: for its user only, whatever the umask; raises Shared if it exists and others can write it.
    Raises Linked, OSError.
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
    """Create a folder and its missing parents. Symbolic links are followed: the user named the path. Raises OSError."""
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
    """A descriptor of a file to lock, in an open folder; created if missing. Raises OSError, also for a link."""
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
    """Sync the names in an open folder; nothing happens if the folder may not be read. Raises OSError."""
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
    """A new private folder beside `path`, for a library that writes files itself. Raises OSError.

    It is removed at the end, with its contents.
    """
    folder = path.with_name(partial_name())
    folder.mkdir(PRIVATE_FOLDER)
    try:
        folder.chmod(PRIVATE_FOLDER)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(made: Path, path: Path) -> None:
    """Sync a file in the folder of `beside` and move it to `path`; raises FileExistsError if that exists, OSError."""
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
    """Names of incomplete files below a folder; raises OSError."""
    return [name for name, kind in walk(root) if is_partial(name.rpartition("/")[2]) and kind != "other"]


def remove(root: Path, name: str) -> None:
    """Remove a file or link below a folder, and sync; nothing happens if it is gone. Raises Linked, OSError."""
    inner, _, last = name.rpartition("/")
    folder = open_folder(root, inner)
    try:
        with suppress(FileNotFoundError):
            os.unlink(last, dir_fd=folder)
        sync_folder(folder)
    finally:
        os.close(folder)


def _name_new(source: int, partial: str, target: int, name: str) -> None:
    """Give a file a name that nothing has yet; raises FileExistsError, OSError."""
    try:
        os.link(partial, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(name, NEW_FILE, PRIVATE_FILE, dir_fd=target))  # reserves the name
        os.rename(partial, name, src_dir_fd=source, dst_dir_fd=target)


def remove_folder(root: Path, name: str) -> None:
    """Remove a folder below a folder, with its contents, and sync. Raises Linked for a link, OSError."""
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
    """A descriptor of a new file without a name, to be linked; None if the file system has no such files."""
    if not hasattr(os, "O_TMPFILE") or not Path(_OPEN_FILES).is_dir():
        return None
    try:
        return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, PRIVATE_FILE, dir_fd=folder)
    except OSError:
        return None  # any other error is raised when the file gets a name


@contextmanager
def _held_signals() -> Iterator[None]:
    """Hold back signals that end the process; they are delivered at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
