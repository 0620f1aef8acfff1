"""The names of the files of a log: those that its checkpoint implies, and those in the manifests of its releases.

A server or a copy of a log contains these files only, whatever else is in its folder.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock

from catalog.errors import LdcatError, MalformedInput, Unreadable, VerificationFailed
from catalog.fast.folder_location import is_number
from catalog.fast.published import PublishedRelease
from catalog.files import inputs
from catalog.log.log_folder import REVOCATIONS, release_path
from catalog.log.log_reader import LogReader, open_log
from catalog.log.records import ReleaseRecord
from catalog.store import manifest
from catalog.store.manifest import parse_manifest
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, tile_path, tile_width
from catalog.verify.releases_of_log import read_checkpoint

_TILE = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

_KEPT = 16
"""Releases: of how many the names are cached."""


class LogFiles:
    """The files of a log at the checkpoint at which a release was verified. Safe for any number of threads."""

    def __init__(self, release: PublishedRelease) -> None:
        self._log = open_log(release)
        self._size = release.size
        self._last = release.last
        self._reader = LogReader(self._log, Checkpoint(release.origin, release.size, bytes.fromhex(release.root)))
        self._unread: Iterator[ReleaseRecord] = self._reader.releases()
        self._records: dict[int, ReleaseRecord] = {}
        self._names: OrderedDict[int, frozenset[str]] = OrderedDict()
        self._lock = Lock()

    def has(self, path: str) -> bool:
        """Whether the log has a file of this name. False, too, if the manifest that lists it cannot be read."""
        if path.startswith("tile/"):
            return is_tile(path, self._size)
        releases, _, rest = path.partition("/")
        number, _, name = rest.partition("/")
        if releases != "releases" or not is_number(number) or f"{int(number)}" != number:
            return False
        try:
            return name in self._list_names(int(number))
        except LdcatError:
            return name in (manifest.NAME, REVOCATIONS) and 1 <= int(number) <= self._last

    def _list_names(self, number: int) -> frozenset[str]:
        with self._lock:
            if number not in self._names:
                self._names[number] = self._read(number)
            self._names.move_to_end(number)
            while len(self._names) > _KEPT:
                self._names.popitem(last=False)
            return self._names[number]

    def _read(self, number: int) -> frozenset[str]:
        """The files of a release. Raises LdcatError for an unknown release, or if its manifest is not the one named."""
        record = self._record(number)
        path = f"{release_path(number)}/{manifest.NAME}"
        text = self._log.read(path, inputs.MAX_TEXT_SIZE)
        if hashlib.sha256(text).hexdigest() != record.artifacts.get(manifest.NAME):
            raise VerificationFailed(f"{path} is not the one that release {number} names")
        return frozenset((manifest.NAME, REVOCATIONS, *parse_manifest(text).files))

    def _record(self, number: int) -> ReleaseRecord:
        if not 1 <= number <= self._last:
            raise MalformedInput(f"the log has no release {number}")
        while number not in self._records:
            try:
                record = next(self._unread, None)
            except LdcatError:
                self._unread = self._reader.releases()  # one that has raised is at its end, and others ask later
                raise
            if record is None:
                raise MalformedInput(f"the log has no release {number}")
            self._records[record.release] = record
        return self._records[number]


def checkpoint_of_release(release: PublishedRelease) -> bytes:
    """The published checkpoint at which a release was verified. Raises Unreadable if another one is published now."""
    note = read_checkpoint(open_log(release))
    if Checkpoint.parse(note.text).root.hex() != release.root:
        raise Unreadable("the checkpoint of the log changed after it was verified", "try again")
    return bytes(note)


def is_tile(path: str, size: int) -> bool:
    """Whether a tree of `size` leaves has this tile or entry bundle, or had it when it was smaller."""
    found = _TILE.fullmatch(path)
    if not found:
        return False
    kind, groups, part = found.groups()
    level = None if kind == "entries" else int(kind)
    number, width = int(groups.replace("/", "").replace("x", "")), int(part or WIDTH)
    if path != tile_path(level, number, width) or width > WIDTH:
        return False
    try:
        return width <= tile_width(size, level or 0, number)
    except MalformedInput:
        return False
