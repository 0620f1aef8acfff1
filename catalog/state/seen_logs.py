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
from catalog.files.inputs import unreadable
from catalog.files.writer import open_lock, opened
from catalog.log.log_folder import LastCheckpoint
from catalog.log.revocation_chain import RevocationChain
from catalog.log.seen import Seen
from catalog.log.seen_revocations import SeenRevocations
from catalog.state.folders import remembered
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
class Kept:
    """What is kept of a log: the newest note that was verified, and what was found out about its revocations."""

    note: Note
    revocations: RevocationChain | None = None
    from_leaves: bool = False
    commits: bool = False

    @property
    def seen(self) -> Seen:
        """What the note says, which was verified when it was kept."""
        return Seen(Checkpoint.parse(self.note.text), self.revocations, self.from_leaves, self.commits)

    def has(self, new: Kept) -> bool:
        """Whether another one says nothing more."""
        known, said = self.seen, new.seen
        same = (known.checkpoint, known.revocations, known.commits) == (said.checkpoint, said.revocations, said.commits)
        return same and (known.from_leaves or not said.from_leaves)


@dataclass(frozen=True, slots=True)
class SeenLog:
    """what: who remembers: "seen" is whoever asks catalogs, "watched" is `ldcat monitor`. origin: of the log."""

    what: str
    origin: str

    @property
    def path(self) -> Path:
        """Of the note; raises Unreadable where there is no place."""
        return self._kept.path

    def read(self) -> Kept | None:
        """None where nothing was seen yet; raises Unreadable, MalformedInput."""
        revocations = self._revocations.read()  # before the note, after which they are written: never of a later one
        note = self._kept.read()
        return None if note is None else Kept(note, *revocations)

    def commit(self, expected: Kept | None, new: Kept) -> Note:
        """Exchange what was read before for what was verified against it; the note that is kept then.

        A note of the same checkpoint stays, whoever signed it. Raises SeenMeanwhile where something else than
        `expected` is kept by now; Unreadable, and then nothing of the note may be believed.
        """
        now = self.read()
        if now is None or not now.has(new):
            with self.locked():
                now = self.read()
                if now is None or not now.has(new):
                    if now != expected:
                        raise SeenMeanwhile
                    return self._exchange(now, new)
        return now.note

    def _exchange(self, now: Kept | None, new: Kept) -> Note:
        note = new.note
        if now and now.seen.checkpoint == new.seen.checkpoint:
            note = now.note
        else:
            self._kept.write(note)
        if new.revocations is not None:
            self._revocations.write(new.revocations, new.from_leaves, new.commits)
        return note

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with what is kept of this log; raises Unreadable where another process does not let go of it."""
        with locked(self.path.with_suffix(".lock"), f"what was {self.what} of {self.origin}"):
            yield

    @property
    def _kept(self) -> LastCheckpoint:
        return remembered(self.what, self.origin)

    @property
    def _revocations(self) -> SeenRevocations:
        return SeenRevocations(self.path.with_suffix(".revocations"))


def verified_against_seen(
    origins: Iterable[str], verify: Callable[[Mapping[str, Kept]], tuple[T, Kept | None]], what: str = "seen"
) -> tuple[T, Note | None]:
    """What `verify` finds, and the note that is kept then; None where there is none to keep.

    verify: told what is kept, by origin; says what it found, and what to keep. It is asked
    again where another process saw something else meanwhile. Raises as `verify`; Unreadable where that never ends, or
    where it cannot be kept: nothing is believed that would be forgotten.
    """
    logs = {origin: SeenLog(what, origin) for origin in origins}
    for _ in range(_ATTEMPTS):
        kept = {origin: before for origin, log in logs.items() if (before := log.read())}
        found, new = verify(kept)
        if new is None:
            return found, None
        origin = new.seen.checkpoint.origin
        try:
            return found, logs[origin].commit(kept.get(origin), new)
        except SeenMeanwhile:
            continue
    raise Unreadable("other processes see a newer checkpoint each time this one looks", "ask again later")


def seen_checkpoints(kept: Mapping[str, Kept]) -> dict[str, Seen]:
    """What was seen, by origin."""
    return {origin: one.seen for origin, one in kept.items()}


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Alone, by a lock on a file that says whose it is; raises Unreadable where it is not had in LOCK_SECONDS.

    what: is written, for people.
    """
    try:
        with opened(path.parent.parent, path.parent.name, private=True) as folder:
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
