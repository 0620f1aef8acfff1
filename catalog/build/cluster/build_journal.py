"""The journal of a build on a cluster: what was finished, so that a build that was interrupted goes on.

It is a file of this machine and not of the shared storage, and nobody else may write it: its hashes and seals say
which bytes of the storage are used. One line of JSON for each result; what follows an incomplete line is forgotten.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from catalog.build.cluster.made_files import Made
from catalog.errors import UsageError
from catalog.files.inputs import unreadable
from catalog.files.writer import open_lock, opened

KEY_SIZE = 32
_NOT_OURS = (errno.EROFS, errno.EACCES)
_LINE = msgspec.json.Decoder(Made)


class Journal:
    """An open journal.

    key: secret of the seals, 32 bytes, made with the journal.
    made: the results of an earlier run, in order.
    """

    def __init__(self, file: int = -1) -> None:
        self._file = file
        text = b""
        if file >= 0:
            with os.fdopen(os.dup(file), "rb") as whole:
                text = whole.read()
        first, *lines = text.splitlines(keepends=True) or [b""]
        self.made: list[Made] = []
        if len(first) == 2 * KEY_SIZE + 1:
            self.key = bytes.fromhex(first.decode("ascii"))
            kept = len(first)
            for line in lines:
                try:
                    if not line.endswith(b"\n"):
                        break
                    self.made.append(_LINE.decode(line))
                except msgspec.DecodeError:
                    break
                kept += len(line)
        else:
            self.key, kept = os.urandom(KEY_SIZE), 0
        if file >= 0:
            os.truncate(file, kept)
            os.lseek(file, 0, os.SEEK_END)
            if not kept:
                self._append(self.key.hex().encode("ascii") + b"\n")

    def add(self, made: Made) -> None:
        """Keep a result."""
        if self._file >= 0:
            self._append(msgspec.json.encode(made) + b"\n")

    def _append(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[os.write(self._file, view) :]


@contextmanager
def open_journal(folder: Path | None, name: str) -> Iterator[Journal]:
    """The journal of that name, which is removed at the end unless there was an error.

    folder: None keeps nothing, as does one that this user may not write, such as on a read-only disk.
    Raises UsageError if another process has the journal, Unreadable if others can write the folder, or for other
    errors of the system.
    """
    if folder is None:
        yield Journal()
        return
    inside = -1
    with ExitStack() as held:
        try:
            inside = held.enter_context(opened(folder.parent, folder.name, private=True))
            file = open_lock(inside, name, private=True)
            held.callback(os.close, file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            journal = Journal(file)
        except BlockingIOError as error:
            raise UsageError(
                "another process builds this catalog with this storage", "wait until it has ended"
            ) from error
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise unreadable(folder / name, error) from error
            journal = Journal()
        yield journal
        if inside >= 0:
            with suppress(OSError):  # an old journal does no harm
                os.unlink(name, dir_fd=inside)
