"""The folder of a log: files that never change, packs, and a checkpoint that is replaced last; one writer at a time."""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import MalformedInput, Unreadable, UntrustedSigner, UsageError
from catalog.fast.beneath import Files, open_file, there
from catalog.files import inputs
from catalog.files.open_folders import sync_folders
from catalog.files.writer import leftovers, open_lock, opened, remove, remove_folder
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import MAX_NOTE, Note

CHECKPOINT = "checkpoint"
REVOCATIONS = "revocations.json"
LOCK = ".ldcat-lock"


@dataclass(frozen=True, slots=True)
class LogFolder:
    """A log in a local folder, which may not exist yet."""

    root: Path

    @property
    def name(self) -> str:
        """The location of the log, for messages."""
        return str(self.root)

    @property
    def is_here(self) -> bool:
        """Whether all its files are local, not at a host."""
        return True

    @property
    def is_private(self) -> bool:
        """Whether it belongs to this user alone, and is refused if others can write to it."""
        return False

    @property
    def leaves(self) -> Mapping[int, bytes]:
        """Leaves by their index that are known without their entry bundles, as unverified as these."""
        return {}

    def prepare(self, size: int) -> None:
        """Called before a tree of that many leaves is verified. Raises Unreadable."""

    def forget(self) -> bool:
        """Called after a verification that failed; whether it is worth a second try, with nothing but what is read."""
        return False

    def read_known(self, path: str, at_most: int, sha256: str) -> bytes:
        """As `read`, of a file that should have this hash, in hex; the caller compares it."""
        del sha256
        return self.read(path, at_most)

    def read(self, path: str, at_most: int) -> bytes:
        """The bytes of a file. Raises Unreadable, also for a symbolic link, and MalformedInput for a longer file."""
        data = inputs.read_beneath(Files(self.root), path, at_most + 1, private=self.is_private)
        if len(data) > at_most:
            raise MalformedInput(f"{self.root / path} has more than {at_most} bytes")
        return data

    def has(self, path: str) -> bool:
        """Whether a path exists, also as a link. Raises Unreadable if the system cannot tell."""
        try:
            return there(self.root, path)
        except (OSError, ValueError) as error:
            raise inputs.unreadable(self.root / path, error) from error

    def size(self, path: str) -> int | None:
        """Size of a file in bytes; None if there is no regular file."""
        try:
            descriptor = open_file(self.root, path)
        except (OSError, ValueError):
            return None
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def checkpoint(self) -> Note | None:
        """The published checkpoint, unverified; None if there is none. Raises Unreadable, MalformedInput."""
        if not self.has(CHECKPOINT):
            return None
        return Note.parse(self.read(CHECKPOINT, MAX_NOTE))

    def write(self, files: Iterable[tuple[str, bytes | bytearray | memoryview]]) -> None:
        """Write files, each whole or not at all; files and folders are synced on return. Raises Unreadable."""
        from catalog.files.many_files import write_files  # threads, only here: most commands read a log

        write_files(self.root, files, private=self.is_private)

    def link(self, old: str, new: str, data: bytes) -> bool:
        """Hard-link an existing file that has exactly these bytes to another name, synced; False if that fails.

        Files of a log never change, so a copy or a server can treat the two names as two files.
        """
        above, _, name = old.rpartition("/")
        inner, _, new_name = new.rpartition("/")
        try:
            if self.read(old, len(data)) != data:
                return False
            with self._opened(above) as source, self._opened(inner) as target:
                if not _is_same(source, name, target, new_name):
                    os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except (OSError, Unreadable, MalformedInput):
            return False
        sync_folders(self.root, {inner}, private=self.is_private)
        return True

    def clear(self, folder: str = "") -> None:
        """Remove the temporary files of an interrupted run; or a whole folder below, which belongs to no release.

        The caller holds the lock. Raises Unreadable.
        """
        try:
            if folder and there(self.root, folder):
                remove_folder(self.root, folder)
            elif not folder:
                for name in leftovers(self.root):
                    remove(self.root, name)
        except OSError as error:
            raise inputs.unreadable(self.root / folder, error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the only writer. Raises UsageError if another process has it, Unreadable."""
        try:
            with self._opened() as folder:
                descriptor = open_lock(folder, LOCK, private=self.is_private)
        except OSError as error:
            raise inputs.unreadable(self.root, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(f"another process is publishing to {self.root}", "wait until it has ended") from error
            yield
        finally:
            os.close(descriptor)

    def _opened(self, name: str = "") -> AbstractContextManager[int]:
        return opened(self.root, name, private=self.is_private)


@dataclass(frozen=True, slots=True)
class StateFolder(LogFolder):
    """A folder with state of this machine: mode 0700, files 0600; refused if others can write to it."""

    @property
    def is_private(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class LastCheckpoint:
    """The checkpoint of a log that this machine signed or saw last. An older one was restored or is replayed.

    path: its file, a signed note.
    root: folder below which no symbolic link is followed; by default the folder of the file.
    """

    path: Path
    root: Path | None = None

    def read(self) -> Note | None:
        """The note; None if there is none yet. Raises Unreadable, MalformedInput."""
        if not self._folder.has(self._name):
            return None
        data = self._folder.read(self._name, MAX_NOTE)
        try:
            note = Note.parse(data)
            Checkpoint.parse(note.text)
        except MalformedInput as error:
            hint = "it was damaged; restore it from a backup, or remove it: one rollback or fork may then go unnoticed"
            raise MalformedInput(f"{self.path} is not a checkpoint: {error}", hint) from error
        return note

    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint of the note, which was verified when it was written. Raises as `read`."""
        note = self.read()
        return None if note is None else Checkpoint.parse(note.text)

    @property
    def forgetting(self) -> str:
        """The end of a hint: when this memory may be removed, and how."""
        return f"only if it was a deleted trial: rm {shlex.quote(str(self.path))}"

    @property
    def copy_back(self) -> str:
        """A hint: what to do about a log that is not there, or older than this."""
        return f"copy the log back; {self.forgetting}"

    def check_signed_by(self, keys: Sequence[VerifierKey]) -> None:
        """Raises UntrustedSigner if none of the keys signed it, VerificationFailed for a wrong signature."""
        note = self.read()
        try:
            if note:
                note.verify(keys)
        except UntrustedSigner as error:
            raise UntrustedSigner(
                f"this machine signed the log {keys[0].name} with other keys before",
                f"use the earlier key file, or a name that was never used; {self.forgetting}",
            ) from error

    def write(self, note: Note) -> None:
        """Remember a note; called before it is published. Raises Unreadable: then it must not be published."""
        try:
            self._folder.write([(self._name, bytes(note))])
        except Unreadable as error:
            raise Unreadable(f"the checkpoint cannot be remembered: {error}", error.hint) from error

    @property
    def _folder(self) -> StateFolder:
        return StateFolder(self.root or self.path.parent)

    @property
    def _name(self) -> str:
        return self.path.relative_to(self._folder.root).as_posix()


def no_log(log: LogFolder, memories: Iterable[LastCheckpoint]) -> Unreadable:
    """The error for a folder without a log. memories: what was signed here last of each log that it may be."""
    known = next((memory for memory in memories if memory.read() is not None), None)
    return Unreadable(f"no log at {log.root}", known.copy_back if known else "ldcat publish makes it")


def _is_same(folder: int, name: str, other_folder: int, other_name: str) -> bool:
    """Whether two names are links to the same file."""
    try:
        other = os.stat(other_name, dir_fd=other_folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.stat(name, dir_fd=folder, follow_symlinks=False), other)


def release_path(number: int) -> str:
    """Folder of the artifacts of a release, relative to that of the log."""
    return f"releases/{number}"
