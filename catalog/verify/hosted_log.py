"""A log on a static host, used as a folder: files are fetched when needed, and verified before they are cached.

Tiles, entries and the checkpoint are fetched each time; the reader verifies them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from catalog.errors import DiskFull, MalformedInput, NotThere, Unreadable
from catalog.fast.published import PublishedRelease
from catalog.files import inputs
from catalog.files.outputs import write_verified, write_whole
from catalog.files.writer import opened
from catalog.log.log_folder import CHECKPOINT, LogFolder
from catalog.log.revocation_list import MAX_REVOCATIONS
from catalog.net.static_host import StaticHost
from catalog.state.folders import host_cache
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.manifest import FileEntry
from catalog.store.range_lookup import Ranges
from catalog.store.ranges import INDEX, MAX_INDEX
from catalog.transparency.note import MAX_NOTE, Note
from catalog.verify.location import HostedLocation
from catalog.verify.notices import Fetching, not_shown


@dataclass(frozen=True, slots=True)
class HostedLog(LogFolder):
    """A log on a static host.

    root: folder of the cache for the files of this log.
    host: where the log is served.
    """

    host: StaticHost

    @classmethod
    def of(cls, location: HostedLocation) -> HostedLog:
        """The log at a location. Raises Unreadable if no cache folder is available, UsageError for an invalid URL."""
        host = StaticHost.parse(location.url)
        return cls(host_cache(host.url), host)

    @property
    def name(self) -> str:
        return self.host.url

    @property
    def is_here(self) -> bool:
        return False

    def read(self, path: str, at_most: int) -> bytes:
        return self.host.read(path, at_most)

    def checkpoint(self) -> Note | None:
        try:
            data = self.read(CHECKPOINT, MAX_NOTE)
        except NotThere as error:
            raise NotThere(str(error), f"give the URL of the folder that has the file {CHECKPOINT}") from error
        try:
            return Note.parse(data)
        except MalformedInput as error:
            raise MalformedInput(f"{self.name}/{CHECKPOINT}: {error}", "check that this is the URL of a log") from error

    def open(
        self, release: PublishedRelease, progress: Fetching = not_shown, revocations: bytes | None = None
    ) -> Catalog:
        """Open the catalog of a release with its revocations. Files are fetched when they are needed.

        progress: shows how a file is fetched (see notices.py).
        revocations: the list of the last release, if it was read already.
        Raises Unreadable, MalformedInput, VerificationFailed for files that are not those of the release.
        """
        folder = f"releases/{release.number}"
        text = self.read(f"{folder}/{manifest.NAME}", inputs.MAX_TEXT_SIZE)
        self._place(f"{folder}/{manifest.NAME}")
        write_verified(self.root / folder / manifest.NAME, [text], size=len(text), sha256=release.manifest_sha256)
        for number in {release.number, release.last}:
            path = f"releases/{number}/revocations.json"
            self._place(path)
            there = revocations if number == release.last else None
            write_whole(self.root / path, there or self.read(path, MAX_REVOCATIONS))  # verified as it is read
        known: set[str] = set()

        def fetch(name: str, entry: FileEntry) -> None:
            if name not in known:
                self._fetch(f"{folder}/{name}", entry, progress)
                known.add(name)

        ranger = partial(self._ranges, number=release.number)
        return replace(Catalog.open_release(release), fetcher=fetch, ranger=ranger)

    def _ranges(self, catalog: Catalog, number: int) -> Ranges | None:
        """The ranges of a release; None if the host has none: then the index is read."""
        folder = f"range/{number}"
        try:
            index = self.read(f"{folder}/{INDEX}", MAX_INDEX)
        except NotThere:
            return None
        return Ranges(catalog, index, lambda name, at_most: self.read(f"{folder}/{name}", at_most))

    def _fetch(self, path: str, entry: FileEntry, progress: Fetching) -> None:
        if self._has(path, entry):
            return
        self._place(path)
        if entry.size > (free := shutil.disk_usage(self.root).free):
            raise DiskFull(f"{self.name}/{path} has {entry.size:,} bytes, and {self.root} has {free:,} free")
        with self.host.opened(path, entry.size + 1) as chunks, progress(entry.size) as report:
            write_verified(self.root / path, _counted(chunks, report), size=entry.size, sha256=entry.sha256)

    def _place(self, path: str) -> None:
        try:
            with opened(self.root, path.rpartition("/")[0]):
                pass
        except OSError as error:
            raise inputs.unreadable(self.root, error) from error

    def _has(self, path: str, entry: FileEntry) -> bool:
        there = self.root / path
        try:
            return there.stat().st_size == entry.size and inputs.hash_file(there, regular=True).hex() == entry.sha256
        except (OSError, Unreadable):
            return False


def _counted(chunks: Iterator[bytes], report: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        report(len(chunk))
