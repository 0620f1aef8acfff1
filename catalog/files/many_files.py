"""Writes files below a folder, each whole or not at all; many of them are synced together, where the system can."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from catalog.files.file_system import FileSystem
from catalog.files.inputs import unreadable
from catalog.files.new_files import sync_file, write_new
from catalog.files.open_folders import OpenFolders, refused, sync_folders
from catalog.files.writer import partial_names

Data = bytes | bytearray | memoryview

_THREADS = 16
"""How many files are written or synced at the same time."""

_AT_ONCE, _PIECE = 16 << 20, 1 << 20
"""Bytes: about how much may wait to be written, and how much a thread writes at a time; more if a file has more."""

_BATCH = 1024
"""Files: how many are synced together."""

_FEW = 32
"""Files: fewer are synced one by one, so that nobody waits for what others write to the same disk."""


def write_files(root: Path, files: Iterable[tuple[str, Data]], *, private: bool = False) -> None:
    """Write files below a folder, each whole or not at all; files and folders are synced on return.

    files: paths below the folder, and bytes. A file that exists is replaced.
    private: as `opened`.
    Raises Unreadable.
    """
    names: set[str] = set()
    with OpenFolders(root, private=private) as folders, ThreadPoolExecutor(_THREADS) as pool:
        batches = _Batches(root, pool, private=private)
        try:
            for path, data in files:
                inner = path.rpartition("/")[0]
                if folders.has_to_close(inner):
                    batches.finish()
                names.add(inner)
                batches.add(folders.open(inner), path, data)
            batches.finish()
        finally:
            batches.close()
    sync_folders(root, names, private=private)


class _New(NamedTuple):
    """A file that has a partial name. folder: descriptor. path: that it gets, below the root."""

    folder: int
    partial: str
    path: str


class _Batches:
    """Batches: the files of one are written while those of the one before are synced.

    Their folders have to stay open until `finish`.
    """

    def __init__(self, root: Path, pool: ThreadPoolExecutor, *, private: bool) -> None:
        self._root = root
        self._pool = pool
        self._private = private
        self._names = partial_names()
        self._disk: FileSystem | None = None
        self._batches: list[_Batch] = []
        self._settling: Future[None] | None = None

    def add(self, folder: int, path: str, data: Data) -> None:
        """Write a file, soon. Raises Unreadable, also for an earlier one."""
        if self._disk is None:
            try:
                self._disk = FileSystem(folder)
            except OSError as error:
                raise unreadable(self._root, error) from error
        if self._batches and len(self._batches[-1].files) == _BATCH:
            self._settle()
        if len(self._batches) == (self._settling is not None):
            self._batches.append(_Batch(self._root, self._pool, self._disk, private=self._private))
        self._batches[-1].add(_New(folder, next(self._names), path), data)

    def finish(self) -> None:
        """Sync all files, and give them their names. Raises Unreadable."""
        self._wait()
        if self._batches:
            self._settle()
            self._wait()

    def close(self) -> None:
        """Remove what has no name yet."""
        if self._settling:
            wait([self._settling])
        for batch in self._batches:
            batch.close()
        if self._disk:
            self._disk.close()

    def _settle(self) -> None:
        """Begin to settle the last batch, once the one before is settled."""
        self._wait()
        self._settling = self._pool.submit(self._batches[-1].settle)

    def _wait(self) -> None:
        if self._settling:
            self._settling.result()
            self._settling = None
            del self._batches[0]


class _Batch:
    """Files that have partial names until all of them are synced."""

    def __init__(self, root: Path, pool: ThreadPoolExecutor, disk: FileSystem, *, private: bool) -> None:
        self.files: list[_New] = []
        self._root = root
        self._pool = pool
        self._disk = disk
        self._private = private
        self._piece: list[tuple[_New, Data]] = []
        self._size = 0
        self._waiting: deque[Future[None]] = deque()

    def add(self, file: _New, data: Data) -> None:
        """Write a file, soon. Raises Unreadable, also for an earlier one."""
        self.files.append(file)
        self._piece.append((file, data))
        self._size += len(data)
        if self._size >= _PIECE:
            self._submit()

    def settle(self) -> None:
        """Sync all files, and give them their names. Raises Unreadable."""
        self._submit()
        while self._waiting:
            self._waiting.popleft().result()
        if len(self.files) < _FEW or not self._sync_all():
            deque(self._pool.map(self._sync, self.files), 0)
        while self.files:
            self._name(self.files[-1])
            self.files.pop()

    def close(self) -> None:
        """Remove what has no name yet."""
        wait(self._waiting)
        for file in self.files:
            with suppress(OSError):
                os.unlink(file.partial, dir_fd=file.folder)

    def _submit(self) -> None:
        """Have another thread write what is held, once less than _AT_ONCE bytes wait for that."""
        while len(self._waiting) >= _AT_ONCE // _PIECE:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._write, self._piece))
        self._piece, self._size = [], 0

    def _write(self, piece: list[tuple[_New, Data]]) -> None:
        for file, data in piece:
            try:
                write_new(file.folder, file.partial, data, private=self._private)
            except OSError as error:
                raise refused(self._root, file.path, error) from error

    def _sync(self, file: _New) -> None:
        try:
            sync_file(file.folder, file.partial)
        except OSError as error:
            raise refused(self._root, file.path, error) from error

    def _sync_all(self) -> bool:
        try:
            return self._disk.sync()
        except OSError as error:
            raise unreadable(self._root, error) from error

    def _name(self, file: _New) -> None:
        try:
            os.rename(file.partial, file.path.rpartition("/")[2], src_dir_fd=file.folder, dst_dir_fd=file.folder)
        except OSError as error:
            raise refused(self._root, file.path, error) from error
