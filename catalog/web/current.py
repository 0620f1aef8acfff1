"""The release that a service answers of: opened whole before it counts, exchanged for a newer one that verifies."""

from __future__ import annotations

import asyncio
import time
import weakref
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import Answer, found_answer
from catalog.ask.evidence import Evidence
from catalog.ask.lookup import Lookups
from catalog.errors import LdcatError, Stale
from catalog.log.log_folder import CHECKPOINT
from catalog.log.log_reader import open_log
from catalog.net.http_client import NoAnswer
from catalog.pages import page_data, views
from catalog.pages.assets import assets, assets_folder
from catalog.state.folders import default_catalog
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.ranges import RangeIndex
from catalog.terminal import render
from catalog.terminal.shown_notices import notices
from catalog.verify.checked_index import check_index_once
from catalog.verify.location import CatalogLocation, HostedLocation
from catalog.verify.opening import open_catalog
from catalog.verify.release_files import LogFiles, checkpoint_of_release
from catalog.verify.trust_choice import TrustChoice
from catalog.verify.verify_release import read_checkpoint
from catalog.web.metrics import Metrics
from catalog.web.ranges_made import ServedRanges, ranges_for
from catalog.web.replies import FIXED, HTML, JSON, Reply
from catalog.work.progress import StartProgress

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.trust import Trust

LOOK_SECONDS = 2
"""Between two looks at whether a folder has a newer release."""

ASK_SECONDS = 60
"""The same of a host."""

MAX_KEPT = 64 << 20
"""Bytes of answers that are kept, and given again."""

_OVERHEAD = 400
"""Bytes of an answer besides its text."""


@dataclass
class OpenRelease:
    """A release, open. tag: of everything that it answers. pages: by path. checkpoint: the one that was verified.

    files: of the log.
    """

    catalog: Catalog
    trust: Trust | None
    ranges: ServedRanges
    lookups: Lookups
    tag: str
    pages: dict[str, Reply]
    checkpoint: bytes
    files: LogFiles | None
    answers: dict[str, Reply] = field(default_factory=dict)
    _kept: int = 0

    @classmethod
    def of(cls, catalog: Catalog, trust: Trust | None, start_progress: StartProgress | None) -> OpenRelease:
        """Raises what reading the catalog does, whose components and index are checked.

        start_progress: as for `ranges_for`. Of a host all files are fetched, so that no lookup waits for it.
        """
        for name in catalog.manifest.files:
            catalog.need(name)
        catalog.check_components()
        check_index_once(catalog)
        with ExitStack() as opened:
            ranges = ranges_for(catalog, start_progress)
            opened.callback(ranges.close)
            catalog = replace(catalog, ranger=None, fetcher=None)
            lookups = opened.enter_context(closing(Lookups(catalog, render.warning)))
            checkpoint = checkpoint_of_release(catalog.release) if catalog.release else b""
            pages = _pages(catalog, ranges.index, trust)
            files = LogFiles(catalog.release) if catalog.release else None
            made = cls(catalog, trust, ranges, lookups, _tag(catalog), pages, checkpoint, files)
            weakref.finalize(made, opened.pop_all().close)
        return made

    @property
    def fresh_until(self) -> int:
        """Seconds since 1970; 0 where nobody says."""
        return self.catalog.release.fresh_until if self.catalog.release else 0

    def check_fresh(self) -> None:
        """Raises Stale once nobody vouches for the release any more."""
        if self.fresh_until and time.time() > self.fresh_until:
            raise Stale("nobody vouches for this release any more", "its publisher may have a newer one")

    def answer(self, evidence: Evidence) -> Answer:
        """Of a digest or a report; raises Stale, and what reading a damaged catalog does."""
        self.check_fresh()
        return found_answer(self.catalog, evidence, None, self.lookups.lookup)

    def answer_digest(self, digest: LaunchDigest) -> Answer:
        """The same of a digest."""
        return self.answer(Evidence("launch digest", digest))

    def keep(self, key: str, reply: Reply) -> None:
        """Give it again; the oldest ones are forgotten where there are too many bytes of them."""
        self._forget(key)
        self.answers[key] = reply
        self._kept += _size(key, reply)
        while self._kept > MAX_KEPT:
            self._forget(next(iter(self.answers)))

    def forget_stale(self) -> None:
        """Answers that nobody vouches for any more are not given again."""
        if self.fresh_until and time.time() > self.fresh_until:
            self.answers.clear()
            self._kept = 0

    def _forget(self, key: str) -> None:
        if found := self.answers.pop(key, None):
            self._kept -= _size(key, found)


@dataclass
class LiveRelease:
    """What is served now. location: None for the default catalog. trust: as open_catalog takes it."""

    location: CatalogLocation | None
    trust: TrustChoice
    metrics: Metrics
    served: OpenRelease = field(init=False)
    _tried: object = None
    _refused: str = ""
    _again: float = 0

    def open(self, start_progress: StartProgress | None, *, quiet: bool = True) -> None:
        """Raises what opening, verifying and reading a release do; then what was served is served on."""
        self._tried = self._signs()
        location = self.location or default_catalog()
        opened = open_catalog(location, self.trust, now=int(time.time()), notices=notices(quiet=quiet))
        believed = self.trust.trust_for(location) if opened.release and not self.trust.skip else None
        served = OpenRelease.of(opened, believed, start_progress)
        self.served, self._refused = served, ""
        self.metrics.serves(opened.release)

    async def watch(self) -> None:
        """Look for a newer release until this is cancelled."""
        seconds = ASK_SECONDS if isinstance(self.location, HostedLocation) else LOOK_SECONDS
        while True:
            await asyncio.sleep(seconds)
            await self.look()

    async def look(self) -> None:
        """Exchange the release for a newer one that verifies; say once why one is refused."""
        self.served.forget_stale()
        before = self.served
        try:
            if await asyncio.to_thread(self._is_new):
                await asyncio.to_thread(self.open, None)
            elif isinstance(self.location, HostedLocation):
                self._refused = ""  # the host has what is served: what was wrong is not any more
        except Exception as error:  # whatever is wrong with the new one: the old one is served
            self._refuse(error)
            return
        if self.served.tag != before.tag:
            release = self.served.catalog.release
            render.note(f"serves {release.said() if release else self.served.catalog.manifest.name} now")

    def _refuse(self, error: Exception) -> None:
        said = str(error) if isinstance(error, LdcatError) else f"{type(error).__name__}: {error}"
        release = self.served.catalog.release
        if isinstance(error, NoAnswer) and release:
            self.metrics.unanswered.inc()
            what = f"what is published now cannot be seen, and release {release.number} is served on"
        else:
            self.metrics.refused.inc(said != self._refused)
            what = "what is published now is refused, and the release before is served on"
        if said != self._refused:
            render.warning(f"{what}: {said}")
        self._refused, self._again = said, time.monotonic() + ASK_SECONDS

    def _is_new(self) -> bool:
        """Whether there is something that was not tried yet; what was refused is tried again after a while."""
        if isinstance(self.location, HostedLocation):
            release = self.served.catalog.release
            return release is not None and bytes(read_checkpoint(open_log(release))) != self.served.checkpoint
        return self._signs() != self._tried or bool(self._refused and time.monotonic() > self._again)

    def _signs(self) -> object:
        """What differs once something else is published, or trusted."""
        if isinstance(self.location, HostedLocation):
            return None
        folder = self.location or default_catalog()
        files = (
            folder / CHECKPOINT,
            folder.parent.parent / CHECKPOINT,
            folder / manifest.NAME,
            self.trust.named or self.trust.configured or Path("/"),
        )
        return tuple(map(_sign, files))


def _size(key: str, reply: Reply) -> int:
    """Bytes that keeping it takes."""
    return len(key) + len(reply.body) + len(reply.packed) + _OVERHEAD


def _tag(catalog: Catalog) -> str:
    """Another one where any answer is another."""
    release = catalog.release
    of_release = f"{release.root[:16]}-{release.trust_version}-{release.fresh_until:x}-" if release else ""
    return f'"{catalog.manifest_sha256[:16]}-{of_release}{assets_folder()[-8:]}"'


def _sign(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _pages(catalog: Catalog, index: RangeIndex, trust: Trust | None) -> dict[str, Reply]:
    """Everything that a site has as pages, by path; without `.html` too."""
    types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
    found = {
        f"/{assets_folder()}/{name}": Reply("/assets", data, types[Path(name).suffix], FIXED)
        for name, data in assets().items()
    }
    lookup = Reply("/", views.lookup_page(catalog, index, served=True), HTML)
    builds = Reply("/builds", views.builds_page(catalog), HTML)
    releases = Reply("/releases", views.releases_page(catalog, (), served=True), HTML)
    found |= {"/": lookup, "/index.html": lookup, "/builds": builds, "/builds.html": builds}
    found |= {"/releases": releases, "/releases.html": releases}
    images = views.image_pages(catalog)
    for name, build in catalog.builds.items():
        found[f"/builds/{name}"] = _image(images[build.component.sha256.hex()]("../" * (1 + name.count("/"))))
    for sha256, made in images.items():
        found[f"/builds/{sha256}"] = found[f"/builds/{sha256}.html"] = _image(made("../"))
    data = page_data.page_data(catalog, index, trust)
    found[f"/{page_data.NAME}"] = Reply("/page.json", data, JSON)
    return {path: reply.shrunk() for path, reply in found.items()}


def _image(body: bytes) -> Reply:
    return Reply("/builds/{name}", body, HTML)
