"""Folders below one: kept open while many files are written to them, and synced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from catalog.errors import LdcatError, Unreadable
from catalog.files.inputs import unreadable
from catalog.files.writer import opened, sync_folder

MOST_FOLDERS = 32
"""Folders: how many are open at a time."""


class OpenFolders:
    """Folders below one, kept open while files are written to them. private: as `opened`."""

    def __init__(self, root: Path, *, private: bool) -> None:
        self._root = root
        self._private = private
        self._stack = ExitStack()
        self._folders: dict[str, int] = {}

    def __enter__(self) -> OpenFolders:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def has_to_close(self, name: str) -> bool:
        """Whether the folders that are open have to be closed before this one is opened."""
        return name not in self._folders and len(self._folders) >= MOST_FOLDERS

    def open(self, name: str) -> int:
        """The descriptor of a folder, which is made if it is missing. Others may be closed. Raises Unreadable."""
        if self.has_to_close(name):
            self._stack.close()
            self._folders.clear()
        if name not in self._folders:
            try:
                self._folders[name] = self._stack.enter_context(opened(self._root, name, private=self._private))
            except OSError as error:
                raise refused(self._root, f"{name}/", error) from error
        return self._folders[name]


def refused(root: Path, path: str, error: OSError) -> LdcatError:
    """The error for a new file that cannot be written, or for a folder, whose path ends with a slash."""
    if isinstance(error, PermissionError):  # of the folder: the file is a new one
        place = root / path.rpartition("/")[0]
        return Unreadable(f"{place} cannot be written: permission denied", f"see who owns it: ls -ld {place}")
    return unreadable(root / path, error)


def sync_folders(root: Path, names: Iterable[str], *, private: bool = False) -> None:
    """Sync folders below one by their names, and their parents up to this one. Raises Unreadable."""
    every = {above for name in names for above in _with_parents(name)}
    try:
        for name in sorted(every, reverse=True):  # inner folders first
            with opened(root, name, private=private) as folder:
                sync_folder(folder)
    except OSError as error:
        raise unreadable(root, error) from error


def _with_parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition("/")[0]
    yield ""
