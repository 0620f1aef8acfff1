"""Opens files; below a folder component by component, without following any symbolic link below it.

The folder itself is named by the user, and may be a link. Otherwise whoever can put a link into the folder would decide
which file of this machine is read, served or written. State is read the same way, and refused if others can write it.
"""

from __future__ import annotations

import os
from stat import S_ISLNK, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Root = str | os.PathLike[str]

_STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_OTHERS_WRITE = 0o022


MAX_READ = 1 << 20
"""Bytes: most of a checkpoint, of a trust note, and of a remembered verification."""

IS_LINK = "is a symbolic link, which is not followed"


class Linked(OSError):
    """A symbolic link below a folder, which is not followed. filename: its path."""


class Shared(OSError):
    """State that others can write. filename: its path. strerror: the reason."""


def open_file(root: Root, name: str, *, private: bool = False) -> int:
    """A descriptor of a regular file, for reading. Raises Linked, Shared, OSError; ValueError for a name with a NUL.

    name: path below the folder, with `/`.
    private: file and folder are state, which nobody else may write.
    """
    inner, _, last = name.rpartition("/")
    folder = open_folder(root, inner, private=private)
    path = f"{os.fspath(root)}/{name}"
    try:
        descriptor = _opened(folder, last, _READ, path)
    finally:
        os.close(folder)
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file", path)
        if private:
            check_private(descriptor, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_folder(root: Root, name: str = "", *, private: bool = False) -> int:
    """A descriptor of a folder; of the root itself if no name is given. Raises as `open_file`."""
    path = os.fspath(root)
    folder = os.open(path, _STEP)
    try:
        if private:
            check_private(folder, path)
        for part in name.split("/") if name else ():
            path = f"{path}/{part}"
            inner = step(folder, part, path)
            os.close(folder)
            folder = inner
            if private:
                check_private(folder, path)
    except (OSError, ValueError):
        os.close(folder)
        raise
    return folder


def step(folder: int, part: str, path: str) -> int:
    """A descriptor of a folder in an open folder. path: of the inner one, for errors. Raises as `open_file`."""
    return _opened(folder, part, _STEP, path)


def there(root: Root, name: str) -> bool:
    """Whether a folder has an entry of that name, a link or anything else. Raises as `open_file`."""
    inner, _, last = name.rpartition("/")
    try:
        folder = open_folder(root, inner)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        os.stat(last, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    finally:
        os.close(folder)
    return True


def check_private(descriptor: int, path: str) -> None:
    """Raises Shared if another user than root owns a file or folder, or others can write it."""
    found = os.fstat(descriptor)
    if found.st_uid not in (os.geteuid(), 0):
        raise Shared(0, f"belongs to user {found.st_uid}", path)
    if found.st_mode & _OTHERS_WRITE:
        raise Shared(0, "others can write it", path)


def walk(root: Root, name: str = "") -> Iterator[tuple[str, str]]:
    """Everything below a folder except folders, in order: path below it, and "file", "link" or "other".

    No link is followed. Raises OSError.
    """
    folder = open_folder(root, name)
    try:
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        with os.scandir(readable) as entries:
            found = sorted((entry.name, _kind(entry)) for entry in entries)
    finally:
        os.close(readable)
    for last, kind in found:
        inner = f"{name}/{last}" if name else last
        if kind == "folder":
            yield from walk(root, inner)
        else:
            yield inner, kind


def _kind(entry: os.DirEntry[str]) -> str:
    """What an entry of a folder is, as the folder says: without a system call for each, on most file systems."""
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


class Files:
    """The files of a catalog: those in `folder` below `root`, or in the root itself."""

    __slots__ = ("folder", "root")

    def __init__(self, root: Root, folder: str = "") -> None:
        self.root = os.fspath(root)
        self.folder = folder

    @property
    def path(self) -> str:
        """Path of the folder of the files."""
        return f"{self.root}/{self.folder}" if self.folder else self.root

    def open(self, name: str, *, private: bool = False) -> int:
        """A descriptor of a file, for reading; raises as `open_file`."""
        return open_file(self.root, self._below(name), private=private)

    def has(self, name: str) -> bool:
        """Whether there is an entry of that name; raises as `open_file`."""
        return there(self.root, self._below(name))

    def walk(self) -> Iterator[tuple[str, str]]:
        """As the function `walk`, with paths below the folder of the files."""
        start = len(self.folder) + 1 if self.folder else 0
        for name, kind in walk(self.root, self.folder):
            yield name[start:], kind

    def _below(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


def _opened(folder: int, part: str, flags: int, path: str) -> int:
    if part in ("", ".", ".."):
        raise OSError(0, "is not the name of a file", path)
    try:
        return os.open(part, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if _is_link(folder, part):
            raise Linked(0, IS_LINK, path) from error
        raise OSError(error.errno, error.strerror, path) from error


def _is_link(folder: int, part: str) -> bool:
    try:
        return S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def open_regular(path: str | os.PathLike[str]) -> int:
    """Open a regular file for reading; raises OSError, also for anything else, such as a pipe without a writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a regular file")
    return descriptor


def read_bounded(path: str) -> bytes | None:
    """A regular file of at most MAX_READ bytes; None if there is none, or it is larger."""
    try:
        descriptor = open_regular(path)
    except OSError:
        return None
    return _start(descriptor)


def read_below(root: str, name: str, *, private: bool = False) -> bytes | None:
    """The same, of a file below a folder; raises Shared for state that others can write."""
    try:
        descriptor = open_file(root, name, private=private)
    except Shared:
        raise
    except (OSError, ValueError):
        return None
    return _start(descriptor)


def _start(descriptor: int) -> bytes | None:
    try:
        data = os.read(descriptor, MAX_READ + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data if len(data) <= MAX_READ else None
