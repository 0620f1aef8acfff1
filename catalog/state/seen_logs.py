"""What this machine saw last of each log: read without a lock, and replaced only if it is still what was read.

Nothing is locked while a host is asked, however long that takes. What was seen is read, the log is verified against
it, and then it is replaced under the lock of this one log. If another process saw something newer meanwhile, the log
is verified again, against that.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from catalog.errors import OlderThanSeen, Unreadable
from catalog.files.inputs import unreadable
from catalog.files.writer import open_lock, opened
from catalog.log.log_folder import LastCheckpoint
from catalog.log.revocation_chain import RevocationChain
from catalog.log.seen import Kept, NotAsSeen, Seen
from catalog.log.seen_revocations import SeenList, SeenRevocations
from catalog.state.folders import remembered, state_folder
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note

if TYPE_CHECKING:
    from catalog.log.revocation_list import Revocation

LOCK_SECONDS = 10.0
"""Seconds to wait for a lock. Writing takes milliseconds, unless the disk hangs or the process is stopped."""

_PAUSE = 0.02
"""Seconds between two attempts to take a lock."""

_ATTEMPTS = 5
"""Number of times that a log is verified, if other processes see something newer each time."""
_HINT = "what was seen of a log is kept there; XDG_STATE_HOME names another place"

T = TypeVar("T")


class SeenMeanwhile(Exception):
    """Another process replaced what was seen after it was read."""


@dataclass(frozen=True, slots=True)
class SeenLog:
    """The state that is kept of one log.

    what: who keeps it: "seen" for commands that use a catalog, "watched" for `ldcat monitor`.
    origin: of the log.
    """

    what: str
    origin: str

    @property
    def path(self) -> Path:
        """Path of the note; raises as `state_folder`."""
        return self._kept.path

    def read(self) -> Kept | None:
        """What is kept; None if nothing was seen yet. Raises Unreadable, MalformedInput."""
        size, chain, from_leaves, commits = self._revocations.read()  # written after the note, so never newer than it
        note = self._kept.read()
        if note is None:
            return None
        # Another process may be about to write those of the note, or was killed before. Later lists extend an earlier
        # one all the same, but the leaves in between were not read.
        is_of_note = size in (None, Checkpoint.parse(note.text).size)
        return Kept(note, chain, from_leaves and is_of_note, commits)

    def listed(self, chain: RevocationChain | None) -> tuple[Revocation, ...] | None:
        """The list of revocations that was kept with a chain, or a later one; None if none was. Raises Unreadable."""
        return None if chain is None else self._list.read(chain)

    def commit(self, expected: Kept | None, new: Kept) -> Note:
        """Replace `expected`, which was read, by `new`, which was verified against it; returns the note that is kept.

        A note of the same checkpoint stays, whoever signed it. Raises SeenMeanwhile if something other than `expected`
        is kept now. Raises Unreadable if it cannot be kept; then the new note must not be trusted.
        """
        now = self.read()
        if now is None or not now.has(new):
            with self.locked():
                now = self.read()
                if now is None or not now.has(new):
                    if now != expected:
                        raise SeenMeanwhile
                    return self._exchange(now, new)
        self._complete(now, new)
        return now.note

    def _complete(self, now: Kept, new: Kept) -> None:
        """Keep the list of revocations if it is missing: earlier versions of ldcat kept the chain alone."""
        if new.listed is None or now.revocations is None or self.listed(now.revocations) is not None:
            return
        with self.locked():
            if now == self.read():
                self._list.write(new.listed)

    def _exchange(self, now: Kept | None, new: Kept) -> Note:
        note = new.note
        if new.listed:  # first: after a crash, no checkpoint is kept without the revocations that came with it
            self._list.write(new.listed)
        if now and now.seen.checkpoint == new.seen.checkpoint:
            note = now.note
        else:
            self._kept.write(note)
        if new.revocations is not None:
            self._revocations.write(new.seen.checkpoint.size, new.revocations, new.from_leaves, new.commits)
        return note

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of this log; raises Unreadable if another process holds it for LOCK_SECONDS."""
        with locked(self.path.with_suffix(".lock"), f"what was {self.what} of {self.origin}"):
            yield

    @property
    def _kept(self) -> LastCheckpoint:
        return remembered(self.what, self.origin)

    @property
    def _revocations(self) -> SeenRevocations:
        return SeenRevocations(self.path.with_suffix(".revocations"))

    @property
    def _list(self) -> SeenList:
        return SeenList(self.path.with_suffix(".revocations.json"))


def verified_against_seen(
    origins: Iterable[str], verify: Callable[[Mapping[str, Kept]], tuple[T, Kept | None]], what: str = "seen"
) -> tuple[T, Note | None]:
    """The result of `verify`, and the note that is kept afterwards; None if there is none to keep.

    verify: gets what is kept, by origin; returns its result and what to keep. It is called again if another process saw
    something else meanwhile.

    Raises as `verify`; Unreadable after _ATTEMPTS calls, or if the new state cannot be kept: nothing is trusted that
    would be forgotten.
    """
    logs = {origin: SeenLog(what, origin) for origin in origins}
    for _ in range(_ATTEMPTS):
        kept = {origin: before for origin, log in logs.items() if (before := log.read())}
        try:
            found, new = verify(kept)
        except (OlderThanSeen, NotAsSeen) as error:
            memories = [remembered(what, origin) for origin in kept]
            more = memories[0].forgetting if len(memories) == 1 else f"what was {what} is in {state_folder() / what}"
            error.hint = f"{error.hint}; {more}"
            raise
        if new is None:
            return found, None
        origin = new.seen.checkpoint.origin
        try:
            return found, logs[origin].commit(kept.get(origin), new)
        except SeenMeanwhile:
            continue
    raise Unreadable("other processes saw a newer checkpoint during each attempt", "try again later")


def seen_checkpoints(kept: Mapping[str, Kept]) -> dict[str, Seen]:
    """What was seen of each log, by origin."""
    return {origin: one.seen for origin, one in kept.items()}


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock on a file that contains the process ID of its holder.

    what: what the lock protects, for the error message. Raises Unreadable if the lock is not free within LOCK_SECONDS.
    """
    try:
        with opened(path.parent.parent, path.parent.name, private=True) as folder:
            descriptor = open_lock(folder, path.name, private=True)
    except OSError as error:
        failure = unreadable(path, error)
        raise Unreadable(str(failure), failure.hint or _HINT) from error
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
                    f"{_holder(descriptor)} writes {what}, and does not finish",
                    f"check that process, which holds the lock {path}; then run this again",
                )
            time.sleep(_PAUSE)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise Unreadable(str(unreadable(path, error)), _HINT) from error


def _is_free(descriptor: int) -> bool:
    """Take the lock if it is free; whether it was."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return f"process {text}" if text.isdecimal() else "another process"
