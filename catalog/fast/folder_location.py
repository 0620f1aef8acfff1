"""Where a folder is that somebody names as a catalog: a catalog of one's own, a log, or one release of a log."""

from __future__ import annotations

import os

CHECKPOINT = "checkpoint"
"""File of a log; whatever has it is one."""


class FolderLocation:
    """A folder as it was found. path: without links. log: folder of the log; None for a catalog that is in none.

    number: of the release that is named; None for the last one.
    """

    __slots__ = ("log", "number", "path")

    def __init__(self, path: str, log: str | None, number: int | None) -> None:
        self.path = path
        self.log = log
        self.number = number


def locate(folder: str) -> FolderLocation:
    """Find out what a folder is. releases/N is a release by its name, even without a checkpoint above it.

    Otherwise whoever removes the checkpoint would turn a release into a catalog of one's own, which nobody verifies.
    Raises OSError if there is no current folder to start from.
    """
    typed = _release_named(folder)  # first, because what a link leads to may be another release
    if typed and os.path.lexists(f"{typed.log}/{CHECKPOINT}"):
        return typed
    path = os.path.realpath(folder)
    if os.path.lexists(f"{path}/{CHECKPOINT}"):
        return FolderLocation(path, path, None)
    return typed or _release_named(path) or FolderLocation(path, None, None)


def _release_named(folder: str) -> FolderLocation | None:
    """The release of that name, whatever it or the folder of releases leads to; None for another name."""
    while folder.endswith(("/", "/.")):
        folder = folder.removesuffix(".").rstrip("/")
    above, number = os.path.split(folder)
    for path in (above, os.path.realpath(above)) if is_number(number) else ():
        log, releases = os.path.split(path)
        if releases == "releases":
            log = os.path.realpath(log)
            return FolderLocation(f"{log}/releases/{int(number)}", log, int(number))
    return None


def is_number(text: str) -> bool:
    """Whether it may be that of a release: few digits, because Python refuses to read very many."""
    return len(text) <= 18 and text.isascii() and text.isdecimal()


def is_within(file: str, location: FolderLocation) -> bool:
    """Whether a file is in the folder of the log, where whoever writes to that can write it, too."""
    return os.path.realpath(file).startswith(f"{location.log}/")
