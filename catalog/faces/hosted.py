"""A log that a static host serves, as a folder: files are fetched into the cache, and verified before they are kept.

Tiles, entries and the checkpoint are asked for each time: who reads them verifies them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from catalog.errors import Unreadable
from catalog.faces import homes
from catalog.faces.places import HostedPlace
from catalog.faces.static_host import StaticHost
from catalog.query.published import PublishedRelease
from catalog.query.revocations import MAX_REVOCATIONS
from catalog.query.store import Catalog
from catalog.release import inputs, manifest
from catalog.release.log_folder import CHECKPOINT, LogFolder
from catalog.release.manifest import FileEntry, parse_manifest
from catalog.release.outputs import write_verified, write_whole
from catalog.transparency.note import MAX_NOTE, Note


@dataclass(frozen=True, slots=True)
class HostedLog(LogFolder):
    """root: folder of the cache for what is fetched of this log."""

    host: StaticHost

    @classmethod
    def of(cls, place: HostedPlace) -> HostedLog:
        """Raises Unreadable where there is no place for a cache."""
        if (home := homes.cache_home()) is None:
            raise Unreadable("there is no home folder", "set XDG_CACHE_HOME; what is fetched is kept there")
        host = StaticHost.parse(place.url)
        return cls(Path(home) / "hosts" / quote(host.url, safe=""), host)

    @property
    def name(self) -> str:
        return self.host.url

    def read(self, path: str, at_most: int) -> bytes:
        return self.host.read(path, at_most)

    def checkpoint(self) -> Note | None:
        return Note.parse(self.read(CHECKPOINT, MAX_NOTE))

    def fetch(self, release: PublishedRelease, begin: Callable[[str, int], Callable[[int], None]]) -> Catalog:
        """The catalog of a release, all of whose files are here then, and what the log revokes.

        begin: told of how many bytes there are to fetch, gives what is told of those that were. Raises Unreadable,
        MalformedInput, VerificationFailed for files that are not those of the release.
        """
        folder = f"releases/{release.number}"
        text = self.read(f"{folder}/{manifest.NAME}", inputs.MAX_TEXT_SIZE)
        self._keep(f"{folder}/{manifest.NAME}", text, release.manifest_sha256)
        for number in {release.number, release.last}:
            path = f"releases/{number}/revocations.json"
            self._place(path)
            write_whole(self.root / path, self.read(path, MAX_REVOCATIONS))  # verified as it is read
        files = {f"{folder}/{name}": entry for name, entry in parse_manifest(text).files.items()}
        missing = {path: entry for path, entry in files.items() if not self._has(path, entry)}
        size = sum(entry.size for entry in missing.values())
        if size > (free := shutil.disk_usage(self.root).free):
            raise Unreadable(f"{self.name} has {size:,} bytes to fetch, and {self.root} has room for {free:,}")
        fetched = begin("fetched", size)
        for path, entry in missing.items():
            self._place(path)
            with self.host.opened(path, entry.size + 1) as chunks:
                write_verified(self.root / path, chunks, size=entry.size, sha256=entry.sha256)
            fetched(entry.size)
        return Catalog.open_release(release)

    def _keep(self, path: str, data: bytes, sha256: str) -> None:
        self._place(path)
        write_verified(self.root / path, [data], size=len(data), sha256=sha256)

    def _place(self, path: str) -> None:
        try:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise inputs.unreadable(self.root, error) from error

    def _has(self, path: str, entry: FileEntry) -> bool:
        there = self.root / path
        try:
            return there.stat().st_size == entry.size and inputs.hash_file(there, regular=True).hex() == entry.sha256
        except (OSError, Unreadable):
            return False
