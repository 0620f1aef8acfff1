"""The folder of a log: files that never change, and a checkpoint that is exchanged last; one writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.release import inputs
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import MAX_NOTE, Note

CHECKPOINT = "checkpoint"
_LOCK = ".ldcat-lock"
_WRITERS = 16
"""Threads that wait for the disk, each for a file of its own."""

_AT_ONCE = 16 << 20
"""Bytes that wait to be written, unless a file alone has more."""


@dataclass(frozen=True, slots=True)
class LogFolder:
    """A log that is, or will be, in a folder."""

    root: Path

    @property
    def name(self) -> str:
        """What people call the place."""
        return str(self.root)

    @property
    def is_here(self) -> bool:
        """Whether all its files are in the folder."""
        return True

    def read(self, path: str, at_most: int) -> bytes:
        """As a Store of tiles.py."""
        data = inputs.read_start(self.root / path, at_most + 1, regular=True)
        if len(data) > at_most:
            raise MalformedInput(f"{self.root / path} has more than {at_most} bytes")
        return data

    def checkpoint(self) -> Note | None:
        """What is published, unverified; None where nothing is."""
        if not inputs.exists(self.root / CHECKPOINT):
            return None
        return Note.parse(self.read(CHECKPOINT, MAX_NOTE))

    def write(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Each file whole or not at all, synced, and its folders too, when this returns. Raises Unreadable."""
        folders: set[Path] = set()
        waiting: deque[tuple[Future[Path], int]] = deque()
        held = 0
        with ThreadPoolExecutor(_WRITERS) as pool:
            for file in files:
                while waiting and held + len(file[1]) > _AT_ONCE:
                    written, size = waiting.popleft()
                    folders.add(written.result())
                    held -= size
                waiting.append((pool.submit(self._write_one, file), len(file[1])))
                held += len(file[1])
        folders.update(written.result() for written, _ in waiting)
        self._sync(folders)

    def link(self, old: str, new: str, data: bytes) -> bool:
        """Give a file that is there, and has exactly these bytes, another name, synced; False where that cannot be.

        Files of a log never change, so that whoever serves or copies it sees two files.
        """
        there, path = self.root / old, self.root / new
        try:
            if self.read(old, len(data)) != data:
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            if not inputs.exists(path) or not path.samefile(there):
                os.link(there, path)
        except (OSError, Unreadable, MalformedInput):
            return False
        self._sync({path.parent})
        return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone, as long as this process lives; raises UsageError where another one writes."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise inputs.unreadable(self.root, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise UsageError(f"another process is publishing to {self.root}", "wait until it has ended") from error
        finally:
            os.close(descriptor)

    def _sync(self, folders: Iterable[Path]) -> None:
        """What they have, up to the folder of the log."""
        try:
            for folder in {above for path in folders for above in (path, *path.parents)}:
                if folder.is_relative_to(self.root):
                    _sync(folder)
        except OSError as error:
            raise inputs.unreadable(self.root, error) from error

    def _write_one(self, file: tuple[str, bytes]) -> Path:
        path, data = self.root / file[0], file[1]
        partial = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            partial.replace(path)
        except OSError as error:
            raise inputs.unreadable(path, error) from error
        return path.parent


@dataclass(frozen=True, slots=True)
class LastCheckpoint:
    """The checkpoint of a log that this machine signed, or saw, last: what is older was restored, or is withheld."""

    path: Path

    def read(self) -> Note | None:
        """None where there was nothing yet; raises Unreadable, MalformedInput."""
        if not inputs.exists(self.path):
            return None
        data = inputs.read_file(self.path, limit=MAX_NOTE, regular=True)
        try:
            note = Note.parse(data)
            Checkpoint.parse(note.text)
        except MalformedInput as error:
            hint = "it was damaged; get it from a backup, or remove it, and what it protects from is not seen once"
            raise MalformedInput(f"{self.path} is no checkpoint: {error}", hint) from error
        return note

    def checkpoint(self) -> Checkpoint | None:
        """What the note says, which was verified when it was written; raises as `read`."""
        note = self.read()
        return None if note is None else Checkpoint.parse(note.text)

    def write(self, note: Note) -> None:
        """Of what is signed before it is published; raises Unreadable, and then nothing may be."""
        try:
            LogFolder(self.path.parent).write([(self.path.name, bytes(note))])
        except Unreadable as error:
            raise Unreadable(f"the checkpoint cannot be remembered: {error}", error.hint) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
