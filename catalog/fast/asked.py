"""When a host was last asked for the checkpoint of a log, for who accepts a checkpoint that was seen minutes ago.

The time is that of two clocks: the wall clock, and the one that counts seconds since the system was started, sleep
included, and cannot be set. Both have to agree, so a clock that is set back makes no checkpoint young again. Where the
second clock is missing, the host is asked each time.
"""

from __future__ import annotations

import os
import time

from catalog.fast.beneath import open_file
from catalog.fast.packed import light_sha256

_FORMAT = "ldcat-asked/1"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_MAX_READ = 4096


class Moment:
    """A point in time.

    boot: a name of the time since the system was started; empty if it has none.
    running: seconds since then.
    wall: seconds since 1970.
    """

    __slots__ = ("boot", "running", "wall")

    def __init__(self, boot: str, running: float, wall: float) -> None:
        self.boot = boot
        self.running = running
        self.wall = wall

    @classmethod
    def now(cls) -> Moment:
        """The moment of the call."""
        try:
            descriptor = os.open(_BOOT_ID, os.O_RDONLY | os.O_CLOEXEC)
            try:
                boot = os.read(descriptor, 100).decode("ascii", "replace").strip()
            finally:
                os.close(descriptor)
            return cls(boot, time.clock_gettime(time.CLOCK_BOOTTIME), time.time())
        except (OSError, AttributeError):
            return cls("", 0.0, time.time())

    def is_within(self, seconds: float, before: Moment) -> bool:
        """Whether at most that many seconds have passed since a moment before."""
        passed = self.running - before.running, self.wall - before.wall
        return bool(self.boot) and self.boot == before.boot and all(0 <= one <= seconds for one in passed)


class CheckpointAge:
    """How old the checkpoint may be that is used of a log at a host.

    seconds: at most that long ago the host had it; 0 to ask the host each time.
    now: this moment.
    """

    __slots__ = ("now", "seconds")

    def __init__(self, seconds: float, now: Moment) -> None:
        self.seconds = seconds
        self.now = now


class Asked:
    """The moment at which the host of a location was asked last: a file in the folder `state`, which nobody else may
    write. name: of the file, below that folder.
    """

    def __init__(self, state: str, location: str) -> None:
        self._state = state
        self.name = f"asked/{_hash(location.encode('utf-8', 'surrogateescape'))}"

    def is_recent(self, checkpoint: bytes, age: CheckpointAge) -> bool:
        """Whether the host had this checkpoint so recently.

        Raises Shared, which is an OSError, if others can write the file.
        """
        lines = self._read().split("\n")
        if len(lines) != 6 or lines[:2] != [_FORMAT, _hash(checkpoint)]:
            return False
        try:
            before = Moment(lines[2], float(lines[3]), float(lines[4]))
        except ValueError:
            return False
        return age.now.is_within(age.seconds, before)

    def text(self, checkpoint: bytes, moment: Moment) -> bytes:
        """The contents of the file: what the host had at a moment before its answer."""
        lines = (_FORMAT, _hash(checkpoint), moment.boot, repr(moment.running), repr(moment.wall), "")
        return "\n".join(lines).encode("ascii")

    def _read(self) -> str:
        try:
            descriptor = open_file(self._state, self.name, private=True)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        try:
            return os.read(descriptor, _MAX_READ).decode("ascii", "replace")
        finally:
            os.close(descriptor)


def _hash(data: bytes) -> str:
    return str(light_sha256()(data).hexdigest())
