"""What this machine saw last of each log: read without a lock, exchanged only where it is still what was read.

Nothing is locked while a host is asked, however long that takes: what was seen is read, the log is verified against
it, and then it is exchanged under a lock of that log alone. Where another process saw something newer meanwhile, the
log is verified again, against that.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from catalog.errors import Unreadable
from catalog.faces.places import remembered
from catalog.release.inputs import unreadable
from catalog.release.log_folder import LastCheckpoint
from catalog.release.writer import open_lock, opened
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note

LOCK_SECONDS = 10.0
"""To wait for whoever writes the same; that takes milliseconds, unless the disk hangs or the process is stopped."""

_PAUSE = 0.02
_ATTEMPTS = 5
_HINT = "what was seen of a log is kept there; XDG_STATE_HOME names another place"

T = TypeVar("T")


class SeenMeanwhile(Exception):
    """Another process exchanged what was seen since it was read."""


@dataclass(frozen=True, slots=True)
class SeenLog:
    """what: who remembers: "seen" is whoever asks catalogs, "watched" is `ldcat monitor`. origin: of the log."""

    what: str
    origin: str

    @property
    def path(self) -> Path:
        """Of the note; raises Unreadable where there is no place."""
        return self._kept.path

    def read(self) -> Note | None:
        """None where nothing was seen yet; raises Unreadable, MalformedInput."""
        return self._kept.read()

    def commit(self, expected: Note | None, note: Note) -> Note:
        """Exchange what was read before for a note that was verified against it; what is kept then.

        A note of the same checkpoint stays, whoever signed it. Raises SeenMeanwhile where something else than
        `expected` is kept by now; Unreadable, and then nothing of the note may be believed.
        """
        now = self.read()
        if not _same(now, note):
            with self.locked():
                now = self.read()
                if not _same(now, note):
                    if now != expected:
                        raise SeenMeanwhile
                    self._kept.write(note)
                    return note
        assert now is not None, "it is the same as a note"  # noqa: S101
        return now

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with what is kept of this log; raises Unreadable where another process does not let go of it."""
        with locked(self.path.with_suffix(".lock"), f"what was {self.what} of {self.origin}"):
            yield

    @property
    def _kept(self) -> LastCheckpoint:
        return remembered(self.what, self.origin)


def verified_against_seen(
    origins: Iterable[str], verify: Callable[[Mapping[str, Note]], tuple[T, Note | None]], what: str = "seen"
) -> tuple[T, Note | None]:
    """What `verify` finds, and the note that is kept then; None where there is none to keep.

    verify: told the newest notes that were seen, by origin; says what it found, and the note to remember. It is asked
    again where another process saw something else meanwhile. Raises as `verify`; Unreadable where that never ends, or
    where it cannot be kept: nothing is believed that would be forgotten.
    """
    logs = {origin: SeenLog(what, origin) for origin in origins}
    for _ in range(_ATTEMPTS):
        seen = {origin: note for origin, log in logs.items() if (note := log.read())}
        found, note = verify(seen)
        if note is None:
            return found, None
        origin = Checkpoint.parse(note.text).origin
        try:
            return found, logs[origin].commit(seen.get(origin), note)
        except SeenMeanwhile:
            continue
    raise Unreadable("other processes see a newer checkpoint each time this one looks", "ask again later")


def checkpoints(seen: Mapping[str, Note]) -> dict[str, Checkpoint]:
    """What notes say that were verified when they were written."""
    return {origin: Checkpoint.parse(note.text) for origin, note in seen.items()}


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Alone, by a lock on a file that says whose it is; raises Unreadable where it is not had in LOCK_SECONDS.

    what: is written, for people.
    """
    try:
        with opened(path.parent, private=True) as folder:
            descriptor = open_lock(folder, path.name, private=True)
    except OSError as error:
        refused = unreadable(path, error)
        raise Unreadable(str(refused), refused.hint or _HINT) from error
    try:
        _take(descriptor, path, what)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, what: str) -> None:
    until = time.monotonic() + LOCK_SECONDS
    try:
        while not _is_free(descriptor):
            if time.monotonic() > until:
                raise Unreadable(
                    f"{_holder(descriptor)} writes {what}, and does not end",
                    f"look at that process, which holds {path}; then run this again",
                )
            time.sleep(_PAUSE)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise Unreadable(str(unreadable(path, error)), _HINT) from error


def _is_free(descriptor: int) -> bool:
    """Nobody else's, and then it is ours."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    said = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return f"process {said}" if said.isdecimal() else "another process"


def _same(kept: Note | None, note: Note) -> bool:
    return kept is not None and Checkpoint.parse(kept.text) == Checkpoint.parse(note.text)
