"""Writes files below a folder, each whole or not at all; many of them are synced together, where the system can."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from catalog.files.file_system import FileSystem
from catalog.files.inputs import unreadable
from catalog.files.new_files import Data, NewFile, name_new, write_new
from catalog.files.open_folders import OpenFolders, refused, sync_folders
from catalog.files.writer import partial_names

_THREADS = 16
"""How many files are written or synced at the same time."""

_AT_ONCE, _PIECE = 16 << 20, 1 << 20
"""Bytes: how much may wait to be written, unless a file has more; and about how much a thread writes at a time."""

_BATCH = 1024
"""Files: how many are synced together."""

_FEW = 32
"""Files: so many are synced one by one, so that nobody waits for what others write to the same disk."""


def write_files(root: Path, files: Iterable[tuple[str, Data]], *, private: bool = False) -> None:
    """Write files below a folder, each whole or not at all; files and folders are synced on return.

    files: different paths below the folder, and bytes. A file that exists is replaced.
    private: as `opened`.
    Raises Unreadable.
    """
    names: set[str] = set()
    with OpenFolders(root, private=private) as folders, ThreadPoolExecutor(_THREADS) as pool:
        batches = _Batches(_Place(root, pool, private=private))
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


class _Place:
    """Where files are written: its file systems, by device, are watched for errors from the first file on.

    Folders have to stay open until they are forgotten.
    """

    def __init__(self, root: Path, pool: ThreadPoolExecutor, *, private: bool) -> None:
        self.root = root
        self.pool = pool
        self.private = private
        self.names = partial_names()
        self._disks: dict[int, FileSystem] = {}
        self._disk_of: dict[int, FileSystem] = {}

    def disk(self, folder: int) -> FileSystem:
        """The file system of an open folder. Raises Unreadable."""
        if folder not in self._disk_of:
            try:
                device = os.fstat(folder).st_dev
                if device not in self._disks:
                    self._disks[device] = FileSystem(folder)
            except OSError as error:
                raise unreadable(self.root, error) from error
            self._disk_of[folder] = self._disks[device]
        return self._disk_of[folder]

    def forget_folders(self) -> None:
        """Before folders are closed: their descriptors will be those of others."""
        self._disk_of.clear()

    def close(self) -> None:
        """Watch no longer."""
        for disk in self._disks.values():
            disk.close()


class _Batches:
    """Batches: the files of one are written while those of the one before are synced.

    Their folders have to stay open until `finish`.
    """

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._waiting: deque[tuple[Future[None], int]] = deque()
        self._held = 0
        self._piece: list[tuple[NewFile, Data]] = []
        self._size = 0
        self._filling, self._before = _Batch(place), _Batch(place)
        self._settled: Future[None] | None = None

    def add(self, folder: int, path: str, data: Data) -> None:
        """Write a file, soon. Raises Unreadable, also for an earlier one."""
        if len(self._filling.files) == _BATCH:
            self._settle()
        size = memoryview(data).nbytes
        if self._held + self._size + size > _AT_ONCE:
            self._submit()
            while self._waiting and self._held + size > _AT_ONCE:
                self._take()
        self._piece.append((self._filling.new(folder, path), data))
        self._size += size
        if self._size >= _PIECE:
            self._submit()

    def finish(self) -> None:
        """Sync all files, and give them their names. Raises Unreadable."""
        self._settle()
        self._wait()
        self._place.forget_folders()

    def close(self) -> None:
        """Remove what has no name yet."""
        wait([*(written for written, _ in self._waiting), *([self._settled] if self._settled else [])])
        self._before.close()
        self._filling.close()
        self._place.close()

    def _submit(self) -> None:
        """Have another thread write what is held."""
        if self._piece:
            self._waiting.append((self._filling.write(self._piece), self._size))
            self._held += self._size
            self._piece, self._size = [], 0

    def _take(self) -> None:
        written, size = self._waiting.popleft()
        written.result()
        self._held -= size

    def _settle(self) -> None:
        """Begin to settle the batch that is filled, once the one before is settled."""
        self._submit()
        self._wait()
        self._before, self._filling = self._filling, _Batch(self._place)
        self._settled = self._place.pool.submit(self._before.settle)

    def _wait(self) -> None:
        if self._settled:
            self._settled.result()
            self._settled = None


class _Batch:
    """Files that have partial names until all of them are synced: the first ones by themselves."""

    def __init__(self, place: _Place) -> None:
        self.files: list[NewFile] = []
        self._place = place
        self._written: list[Future[None]] = []
        self._few: list[tuple[NewFile, FileSystem]] = []
        self._together: set[FileSystem] = set()
        self._ending = Lock()

    def new(self, folder: int, path: str) -> NewFile:
        """A file of this batch, which has to be written. Raises Unreadable."""
        disk, is_one_of_few = self._place.disk(folder), len(self._few) < _FEW
        together = not is_one_of_few and disk.can_sync
        file = NewFile(folder, next(self._place.names), path, stays_open=is_one_of_few, is_synced=not together)
        if is_one_of_few:
            self._few.append((file, disk))
        if together:
            self._together.add(disk)
        self.files.append(file)
        return file

    def write(self, piece: list[tuple[NewFile, Data]]) -> Future[None]:
        """Have another thread write some of its files. Its result raises Unreadable."""
        self._written.append(self._place.pool.submit(self._write, piece))
        return self._written[-1]

    def _write(self, piece: list[tuple[NewFile, Data]]) -> None:
        files, data = zip(*piece, strict=True)
        with self._refused():
            write_new(files, data, private=self._place.private)

    def settle(self) -> None:
        """Sync all files once they are written, and give them their names. Raises Unreadable."""
        for written in self._written:
            written.result()
        with self._ending:
            for disk in self._together:
                try:
                    disk.sync()
                except OSError as error:
                    raise unreadable(self._place.root, error) from error
            deque(self._place.pool.map(self._end, self._few), 0)
            with self._refused():
                name_new(self.files)
            self.files = []

    def close(self) -> None:
        """Remove what has no name yet, once nothing settles them any more."""
        with self._ending:
            for file in self.files:
                with suppress(OSError):
                    os.unlink(file.partial, dir_fd=file.folder)
                with suppress(OSError):
                    _close(file, synced=True)

    def _end(self, few: tuple[NewFile, FileSystem]) -> None:
        file, disk = few
        try:
            _close(file, synced=disk in self._together)
        except OSError as error:
            raise refused(self._place.root, file.path, error) from error

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """Raise the error for the file that the system refuses."""
        try:
            yield
        except OSError as error:
            raise refused(self._place.root, error.filename, error) from error


def _close(file: NewFile, *, synced: bool) -> None:
    """Close a file that is open. synced: whether it is, or will be, synced in another way. Raises OSError."""
    descriptor, file.descriptor = file.descriptor, -1
    if descriptor < 0:
        return
    try:
        if not synced:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
