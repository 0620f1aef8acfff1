"""Finds out what a folder given as a catalog is: a local catalog, a log, or one release of a log."""

from __future__ import annotations

import os

CHECKPOINT = "checkpoint"
"""Name of the file that makes a folder a log."""


class FolderLocation:
    """A folder that was given as a catalog.

    path: without symbolic links.
    log: folder of the log; None for a local catalog.
    number: of the release that the path names; None: the last release of the log.
    """

    __slots__ = ("log", "number", "path")

    def __init__(self, path: str, log: str | None, number: int | None) -> None:
        self.path = path
        self.log = log
        self.number = number


def locate(folder: str) -> FolderLocation:
    """Find out what a folder is. A path releases/N is a release, even without a checkpoint above it.

    Otherwise anyone who removes the checkpoint would turn a release into a local catalog, which is not verified.
    Raises OSError if the current folder is gone.
    """
    typed = _release_named(folder)  # first, because a link may lead to another release
    if typed and os.path.lexists(f"{typed.log}/{CHECKPOINT}"):
        return typed
    path = os.path.realpath(folder)
    if os.path.lexists(f"{path}/{CHECKPOINT}"):
        return FolderLocation(path, path, None)
    return typed or _release_named(path) or FolderLocation(path, None, None)


def _release_named(folder: str) -> FolderLocation | None:
    """The release that a path names, wherever the link at its end or at the folder of releases leads; else None."""
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
    """Whether a text may be the number of a release: at most 18 digits, because Python refuses to parse very many."""
    return len(text) <= 18 and text.isascii() and text.isdecimal()


def is_within(file: str, location: FolderLocation) -> bool:
    """Whether a file is in the folder of the log, so that whoever writes the log can write it, too."""
    return os.path.realpath(file).startswith(f"{location.log}/")
