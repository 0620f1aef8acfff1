"""A log on a static host, used as a folder: files are fetched when needed, and verified before they are cached.

A file whose hash is known is fetched once. The checkpoint is fetched each time, and so are tiles and entries unless
they are at hand; the reader verifies them.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from catalog.errors import DiskFull, LdcatError, MalformedInput, NotThere, Unreadable, VerificationFailed
from catalog.fast.beneath import Files
from catalog.fast.folder_location import is_number
from catalog.fast.published import PublishedRelease
from catalog.files import inputs
from catalog.files.outputs import write_verified, write_whole
from catalog.files.writer import opened
from catalog.log.log_folder import CHECKPOINT, LogFolder, release_path
from catalog.net.static_host import StaticHost
from catalog.state.folders import host_cache
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.manifest import FileEntry
from catalog.store.range_lookup import Ranges
from catalog.store.ranges import INDEX, MAX_INDEX, ranges_path
from catalog.transparency.note import MAX_NOTE, Note
from catalog.verify.at_hand import AtHand
from catalog.verify.location import HostedLocation
from catalog.verify.notices import Fetching, not_shown

_MOST_RELEASES = 8
"""Other releases: in how many of those that were fetched the same file is looked for."""

_CHUNK = 1 << 20
"""Bytes that are copied at once."""


@dataclass(frozen=True, slots=True)
class HostedLog(LogFolder):
    """A log on a static host.

    root: folder of the cache for the files of this log.
    host: where the log is served.
    at_hand: what needs no request.
    """

    host: StaticHost
    at_hand: AtHand

    @classmethod
    def of(cls, location: HostedLocation) -> HostedLog:
        """The log at a location. Raises Unreadable if no cache folder is available, UsageError for an invalid URL."""
        host = StaticHost.parse(location.url)
        root = host_cache(host.url)
        return cls(root, host, AtHand(root))

    @property
    def name(self) -> str:
        return self.host.url

    @property
    def is_here(self) -> bool:
        return False

    @property
    def leaves(self) -> Mapping[int, bytes]:
        return self.at_hand.leaves

    def prepare(self, size: int) -> None:
        self.at_hand.prepare(size, self.host.read)

    def forget(self) -> bool:
        return self.at_hand.forget()

    def read(self, path: str, at_most: int) -> bytes:
        return self.at_hand.read(path, at_most, self.host.read)

    def read_known(self, path: str, at_most: int, sha256: str) -> bytes:
        if (data := self._cached(path, at_most, sha256)) is None:
            same = (self._cached(other, at_most, sha256) for other in self._in_other_releases(path))
            data = next((found for found in same if found is not None), None)
            if data is None:
                data = self.read(path, at_most)
            if hashlib.sha256(data).hexdigest() == sha256:
                self._place(path)
                write_verified(self.root / path, [data], size=len(data), sha256=sha256)
        return data

    def need(self, path: str, at_most: int, sha256: str) -> None:
        """Make sure that a file with this hash, in hex, is in the cache.

        Raises Unreadable, MalformedInput, VerificationFailed if the host has another one.
        """
        if self._cached(path, at_most, sha256) is None:
            data = self.at_hand.get(path)
            if data is None or hashlib.sha256(data).hexdigest() != sha256:
                data = self.host.read(path, at_most)
            self._place(path)
            write_verified(self.root / path, [data], size=len(data), sha256=sha256)

    def checkpoint(self) -> Note | None:
        data = self.at_hand.take_checkpoint() or self._fetched_checkpoint()
        try:
            return Note.parse(data)
        except MalformedInput as error:
            raise MalformedInput(f"{self.name}/{CHECKPOINT}: {error}", "check that this is the URL of a log") from error

    def ask_checkpoint(self) -> bytes:
        """The bytes of the checkpoint that the host has now, which `checkpoint` parses the next time."""
        data = self._fetched_checkpoint()
        self.at_hand.give_checkpoint(data)
        return data

    def kept_checkpoint(self) -> bytes:
        """The bytes of the checkpoint that was kept last; empty if there is none."""
        try:
            return inputs.read_file_beneath(Files(self.root), CHECKPOINT, limit=MAX_NOTE)
        except LdcatError:
            return b""

    def keep_checkpoint(self, checkpoint: bytes) -> None:
        """Keep the bytes of a verified checkpoint. Raises Unreadable."""
        self._place(CHECKPOINT)
        write_whole(self.root / CHECKPOINT, checkpoint)

    def _fetched_checkpoint(self) -> bytes:
        try:
            return self.host.read(CHECKPOINT, MAX_NOTE)
        except NotThere as error:
            raise NotThere(str(error), f"give the URL of the folder that has the file {CHECKPOINT}") from error

    def open(self, release: PublishedRelease, progress: Fetching = not_shown) -> Catalog:
        """Open the catalog of a release. Files are fetched when they are needed.

        progress: shows how a file is fetched (see notices.py).
        Raises Unreadable, MalformedInput, VerificationFailed for files that are not those of the release.
        """
        self.at_hand.load(release.size)
        folder = release_path(release.number)
        self.need(f"{folder}/{manifest.NAME}", inputs.MAX_TEXT_SIZE, release.manifest_sha256)
        known: set[str] = set()

        def fetch(name: str, entry: FileEntry) -> None:
            if name not in known:
                self._fetch(release.number, name, entry, progress)
                known.add(name)

        ranger = partial(self._ranges, number=release.number)
        return replace(Catalog.open_release(release), fetcher=fetch, ranger=ranger)

    def _ranges(self, catalog: Catalog, number: int) -> Ranges | None:
        """The ranges of a release; None if the host has none: then the index is read."""
        folder = ranges_path(number)
        path = f"{folder}/{INDEX}"

        def fetch(name: str, at_most: int) -> bytes:
            return self.host.read(f"{folder}/{name}", at_most)

        if (index := self.at_hand.get(path)) is not None:
            with suppress(MalformedInput, VerificationFailed):  # the host may have better ones
                return Ranges(catalog, index, fetch)
        try:
            index = self.host.read(path, MAX_INDEX)
        except NotThere:
            return None
        ranges = Ranges(catalog, index, fetch)
        self.at_hand.add(path, index)
        return ranges

    def _fetch(self, number: int, name: str, entry: FileEntry, progress: Fetching) -> None:
        path = f"{release_path(number)}/{name}"
        if self._has(path, entry):
            return
        self._place(path)
        if (data := self.at_hand.get(path)) is not None and hashlib.sha256(data).hexdigest() == entry.sha256:
            write_verified(self.root / path, [data], size=entry.size, sha256=entry.sha256)
            return
        if same := next((other for other in self._in_other_releases(path) if self._has(other, entry)), None):
            with (self.root / same).open("rb") as file:
                write_verified(
                    self.root / path, iter(partial(file.read, _CHUNK), b""), size=entry.size, sha256=entry.sha256
                )
            return
        if entry.size > (free := shutil.disk_usage(self.root).free):
            raise DiskFull(f"{self.name}/{path} has {entry.size:,} bytes, and {self.root} has {free:,} free")
        with self.host.opened(path, entry.size + 1) as chunks, progress(entry.size) as report:
            write_verified(self.root / path, _counted(chunks, report), size=entry.size, sha256=entry.sha256)

    def _in_other_releases(self, path: str) -> Iterator[str]:
        """The paths of the same file in other releases of which anything was fetched, a newer one first."""
        number, _, name = path.removeprefix("releases/").partition("/")
        try:
            names = (one.name for one in (self.root / "releases").iterdir())
            others = sorted((int(one) for one in names if is_number(one) and one != number), reverse=True)
        except OSError:
            return
        yield from (f"{release_path(one)}/{name}" for one in others[:_MOST_RELEASES])

    def _cached(self, path: str, at_most: int, sha256: str) -> bytes | None:
        """A file in the cache; None if it is not there, or has another hash."""
        try:
            data = inputs.read_file_beneath(Files(self.root), path, limit=at_most)
        except LdcatError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

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
