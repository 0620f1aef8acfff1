"""A folder that is written whole or not at all: filled beside its place, synced, then renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog.errors import UsageError
from catalog.files.inputs import unreadable
from catalog.files.writer import made_folders


@contextmanager
def written_whole(
    target: Path,
    *,
    foreign: Callable[[Path], str | None],
    kept: Callable[[Path], Iterable[Path]] = lambda _: (),
    last: str,
    what: str = "a catalog",
) -> Iterator[Path]:
    """Yield an empty folder to fill. On success it is renamed to `target`, replacing a folder there; on any error
    nothing has changed.

    foreign: the name of a file in a folder because of which the folder must not be replaced, or None.
    kept: files directly in the old folder that are kept in the new one.
    last: name of the file that is removed last from the old folder, so that the folder is still recognised until then.
    what: what the folder is, for messages.
    Raises UsageError for a folder that must not be replaced or is being written now, Unreadable if the system refuses.
    """
    target = Path(os.path.realpath(target))
    if not target.name:
        raise UsageError(f"{target} cannot be {what}", "name a folder in it")
    partial = target.with_name(f".{target.name}.ldcat-partial")
    previous = target.with_name(f".{target.name}.ldcat-previous")
    try:
        _check_replaceable(target, foreign, what)
        for path in (partial, previous):
            if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
                raise UsageError(f"{path} is in the way", "ldcat did not create it; move it")
        if previous.is_dir() and (name := foreign(previous)):
            raise UsageError(f"{previous} is in the way: it holds {name!r}", "ldcat did not create that; move it")
        made_folders(target.parent)
        lock = _claim(partial)
    except OSError as error:
        raise unreadable(target, error) from error
    try:
        _finish_interrupted_exchange(target, previous, last)
        yield partial
        _check_replaceable(target, foreign, what)
        if target.is_dir():
            for path in kept(target):
                os.link(path, partial / path.name)
        _sync(partial)
        _exchange(partial, target, previous, last)
    except OSError as error:
        raise unreadable(Path(error.filename or target), error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def _check_replaceable(target: Path, foreign: Callable[[Path], str | None], what: str) -> None:
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise UsageError(f"{target} is a file, not a folder")
    if os.path.ismount(target):
        raise UsageError(f"{target} is a mount point, which cannot be renamed", "name a folder in it")
    if name := foreign(target):
        raise UsageError(
            f"{target} holds {name!r}, which is not part of {what}, so it is not replaced",
            "name a new or empty folder",
        )


def _claim(partial: Path) -> int:
    """Create or take over the partial folder and lock it; gives the descriptor of the lock.

    The lock ends with this process, however it ends. Raises UsageError if another process has it.
    """
    while True:
        partial.mkdir(exist_ok=True)
        lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise UsageError(f"another process is writing {partial.parent}", "wait until it has ended") from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), partial.lstat()):  # nobody renamed it meanwhile
                for entry in os.scandir(partial):
                    _remove(Path(entry.path))
                return lock
        os.close(lock)


def _discard(folder: Path, last: str) -> None:
    """Remove a folder; the file named `last` is removed last, so that a rest of the folder is recognised."""
    if folder.is_dir():
        for entry in sorted(folder.iterdir(), key=lambda path: path.name == last):
            _remove(entry)
        folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _finish_interrupted_exchange(target: Path, previous: Path, last: str) -> None:
    """After a crash between the two renames, put the previous folder back; after a later one, remove it."""
    if previous.is_dir():
        if target.is_dir():
            _discard(previous, last)
        else:
            previous.rename(target)


def _exchange(partial: Path, target: Path, previous: Path, last: str) -> None:
    if target.is_dir():
        target.rename(previous)
    try:
        partial.rename(target)
    except OSError:
        if previous.is_dir():
            previous.rename(target)
        raise
    _sync_one(target.parent)  # before the previous folder is removed
    with suppress(OSError):
        _discard(previous, last)


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync_one(path)
    _sync_one(folder)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
