"""Storage that the workers of a cluster share with the process that started the build: a folder, or objects at a URL.

Who reads says how many bytes there have to be, and checks what they are: storage is not trusted with that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Protocol, TypeVar

from catalog.errors import Unreadable, shortage

Result = TypeVar("Result")

_WAITS = (0.1, 0.5, 2.0)
"""Seconds between tries of an operation that failed."""

Range = tuple[str, int, int]
"""Name of a file, offset, and number of bytes."""


class Gone(Exception):
    """A file is not there, or ends too early."""


class Storage(Protocol):
    """Files by name below one place. A name is of one or two parts; the first is that of a job.

    Every operation is tried again if it fails, a few times. Then Gone is raised for a file that should be there, and
    Unreadable or DiskFull for anything else. A file is there whole or not at all. Workers get a Storage with each task.
    """

    def below(self, name: str) -> Storage:
        """The storage of a folder, which is created."""

    def put(self, name: str, memory: memoryview, size: int) -> None:
        """Write a file with the first `size` bytes of memory, which is aligned as `direct_io.write_file` asks."""

    def put_chunks(self, name: str, chunks: Callable[[], Iterator[memoryview]]) -> None:
        """Write a file from chunks, which are asked for again if that fails."""

    def ranges(self, wanted: Sequence[Range]) -> Iterator[memoryview]:
        """The bytes of each range, in order; each is valid until the next one is asked for."""

    def linked(self, name: str, path: Path) -> bool:
        """Make `path`, which does not exist, the same file; False if that is impossible here. Raises Gone."""

    def remove(self) -> None:
        """Remove the folder of `below`, with everything in it."""


def present(storage: Storage, wanted: Sequence[Range]) -> Iterator[tuple[int, memoryview | None]]:
    """The place of each range in the list, and its bytes as `Storage.ranges` gives them; None if they are gone."""
    place = 0
    while place < len(wanted):
        found = storage.ranges(wanted[place:])
        try:
            while place < len(wanted):
                yield place, next(found)
                place += 1
        except Gone:
            yield place, None
            place += 1


def tried(operation: Callable[[], Result], what: str, *, reads: bool = False) -> Result:
    """The result of an operation on storage, which is tried again a few times. what: for messages, without secrets.

    reads: whether it reads a file that should be there.
    Raises as `Storage` says. Libraries of object stores have errors of their own, so every Exception counts. Of these
    only the kind is reported: their texts may contain signed addresses.
    """
    waits = iter(_WAITS)
    while True:
        try:
            return operation()
        except Exception as error:
            wait = next(waits, None)
            if wait is not None:
                Event().wait(wait)
                continue
            if reads and isinstance(error, FileNotFoundError | Gone):
                raise Gone(what) from error
            if short := shortage(error, what):
                raise short from error
            why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            raise Unreadable(f"{what}: {why}", "it was tried several times; build again to go on") from error
