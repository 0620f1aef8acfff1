"""The release that a service serves: opened and verified whole, and replaced once a newer one verifies."""

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
from catalog.ask.answering import related_answer
from catalog.ask.lookup import Lookups
from catalog.ask.related_digests import Relating
from catalog.ask.verification import VerificationInputs
from catalog.errors import LdcatError, Stale
from catalog.evidence.evidence import Evidence
from catalog.launch.hashing.backends import choose
from catalog.log.log_folder import CHECKPOINT
from catalog.log.log_reader import open_log
from catalog.net.http_client import NoAnswer
from catalog.pages import page_data, views
from catalog.pages.assets import assets, assets_folder
from catalog.pages.fleets import fleets_page
from catalog.state.folders import default_catalog
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.ranges import RangeIndex
from catalog.terminal import render
from catalog.terminal.shown_notices import notices
from catalog.verify.checked_endorsed import check_endorsed
from catalog.verify.checked_index import check_index_once
from catalog.verify.location import CatalogLocation, HostedLocation
from catalog.verify.opening import open_catalog
from catalog.verify.release_files import LogFiles, checkpoint_of_release
from catalog.verify.releases_of_log import read_checkpoint
from catalog.verify.trust_choice import TrustChoice
from catalog.web.metrics import Metrics
from catalog.web.ranges_made import ServedRanges, ranges_for
from catalog.web.replies import FIXED, HTML, JSON, Reply
from catalog.work.progress import StartProgress

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.trust import Trust

LOOK_SECONDS = 2
"""Seconds between polls of a local log folder."""

ASK_SECONDS = 60
"""Seconds between polls of a hosted log, and before a refused release is tried again."""

MAX_KEPT = 64 << 20
"""Bytes of answers that are cached."""

_OVERHEAD = 400
"""Bytes that a cached answer takes besides its text."""


@dataclass
class OpenRelease:
    """An open release.

    trust: the trust note that it was verified against; None if it was not.
    tag: ETag of all its responses.
    pages: responses of pages and assets, by path.
    checkpoint: the verified checkpoint, as a signed note; empty for a catalog without a log.
    files: which files of the log may be served; None for a catalog without a log.
    answers: cached responses, by path.
    """

    catalog: Catalog
    trust: Trust | None
    ranges: ServedRanges
    lookups: Lookups
    relating: Relating
    tag: str
    pages: dict[str, Reply]
    checkpoint: bytes
    files: LogFiles | None
    answers: dict[str, Reply] = field(default_factory=dict)
    _kept: int = 0

    @classmethod
    def of(cls, catalog: Catalog, trust: Trust | None, start_progress: StartProgress | None) -> OpenRelease:
        """Open a catalog: all its files are fetched, so no lookup waits for a host; components and index are checked.

        start_progress: as for `ranges_for`. Raises VerificationFailed for a damaged catalog, Unreadable, and the errors
        of `ranges_for`.
        """
        for name in catalog.manifest.files:
            catalog.need(name)
        catalog.check_components()
        check_index_once(catalog)
        if catalog.release:
            check_endorsed(catalog, catalog.release)
        with ExitStack() as opened:
            ranges = ranges_for(catalog, start_progress)
            opened.callback(ranges.close)
            catalog = replace(catalog, ranger=None, fetcher=None)
            lookups = opened.enter_context(closing(Lookups(catalog, render.warning)))
            checkpoint = checkpoint_of_release(catalog.release) if catalog.release else b""
            pages = _pages(catalog, ranges.index, trust)
            files = LogFiles(catalog.release) if catalog.release else None
            relating = Relating(lookups, choose())
            made = cls(catalog, trust, ranges, lookups, relating, _tag(catalog), pages, checkpoint, files)
            weakref.finalize(made, opened.pop_all().close)
        return made

    @property
    def fresh_until(self) -> int:
        """Seconds since 1970; 0 for a catalog that is not published, or whose release is not verified."""
        return self.catalog.release.fresh_until if self.catalog.release else 0

    def check_fresh(self) -> None:
        """Raises Stale if the time until which the release is fresh is over."""
        if self.fresh_until and time.time() > self.fresh_until:
            why = "the release is stale: its newest cosignature is older than max-age"
            raise Stale(why, "its publisher may have a newer one")

    def answer(self, evidence: Evidence) -> Answer:
        """The answer to a digest or a report, without related digests.

        Raises Stale, and VerificationFailed for a damaged catalog.
        """
        self.check_fresh()
        return found_answer(self.catalog, evidence, VerificationInputs(now=time.time()), self.lookups.lookup)

    def answer_digest(self, digest: LaunchDigest) -> Answer:
        """The answer to a digest; raises the errors of `answer`."""
        return self.answer(Evidence("launch digest", digest))

    def relate(self, answer: Answer) -> Answer:
        """An answer with the digests that its digest is related to: computes for some tenths of a second."""
        return related_answer(answer, self.relating)

    def keep(self, key: str, reply: Reply) -> None:
        """Cache a response; above MAX_KEPT bytes, the oldest ones are dropped."""
        self._forget(key)
        self.answers[key] = reply
        self._kept += _size(key, reply)
        while self._kept > MAX_KEPT:
            self._forget(next(iter(self.answers)))

    def forget_stale(self) -> None:
        """Drop all cached answers if the release is stale."""
        if self.fresh_until and time.time() > self.fresh_until:
            self.answers.clear()
            self._kept = 0

    def _forget(self, key: str) -> None:
        if found := self.answers.pop(key, None):
            self._kept -= _size(key, found)


@dataclass
class LiveRelease:
    """The release that is served now.

    location: the catalog or log; None for the default catalog.
    trust: as for open_catalog.
    served: the open release.
    """

    location: CatalogLocation | None
    trust: TrustChoice
    metrics: Metrics
    served: OpenRelease = field(init=False)
    _tried: object = None
    _refused: str = ""
    _again: float = 0

    def open(self, start_progress: StartProgress | None, *, quiet: bool = True) -> None:
        """Open and verify what is at the location now, and serve it.

        Raises the errors of `open_catalog` and `OpenRelease.of`; the release before is served on then.
        """
        self._tried = self._signs()
        location = self.location or default_catalog()
        opened = open_catalog(location, self.trust, now=int(time.time()), notices=notices(quiet=quiet))
        trust = self.trust.trust_for(location) if opened.release and not self.trust.skip else None
        served = OpenRelease.of(opened, trust, start_progress)
        self.served, self._refused = served, ""
        self.metrics.serves(opened.release)

    async def watch(self) -> None:
        """Poll for a newer release until cancelled."""
        seconds = ASK_SECONDS if isinstance(self.location, HostedLocation) else LOOK_SECONDS
        while True:
            await asyncio.sleep(seconds)
            await self.look()

    async def look(self) -> None:
        """Replace the release by a newer one that verifies; if one is refused, warn once why."""
        self.served.forget_stale()
        before = self.served
        try:
            if await asyncio.to_thread(self._is_new):
                await asyncio.to_thread(self.open, None)
            elif isinstance(self.location, HostedLocation):
                self._refused = ""  # the host has the release that is served: the problem is over
        except Exception as error:  # whatever is wrong with the new release, the old one is served
            self._refuse(error)
            return
        if self.served.tag != before.tag:
            release = self.served.catalog.release
            render.note(f"now serving {release.summary() if release else self.served.catalog.manifest.name}")

    def _refuse(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, LdcatError) else f"{type(error).__name__}: {error}"
        release = self.served.catalog.release
        if isinstance(error, NoAnswer) and release:
            self.metrics.unanswered.inc()
            what = f"the host does not answer; still serving release {release.number}"
        else:
            self.metrics.refused.inc(reason != self._refused)
            what = "the release that is published now is refused; still serving the one before"
        if reason != self._refused:
            render.warning(f"{what}: {reason}")
        self._refused, self._again = reason, time.monotonic() + ASK_SECONDS

    def _is_new(self) -> bool:
        """True if checkpoint, manifest or trust note changed since the last attempt, or if that was refused more than
        ASK_SECONDS ago. Of a host: true if its checkpoint is not the one that is served.
        """
        if isinstance(self.location, HostedLocation):
            release = self.served.catalog.release
            return release is not None and bytes(read_checkpoint(open_log(release))) != self.served.checkpoint
        return self._signs() != self._tried or bool(self._refused and time.monotonic() > self._again)

    def _signs(self) -> object:
        """A value that changes if checkpoint, manifest or trust note changes; None for a host."""
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
    """Bytes that a cached response takes."""
    return len(key) + len(reply.body) + len(reply.packed) + _OVERHEAD


def _tag(catalog: Catalog) -> str:
    """ETag: changes whenever any response of this release could change."""
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
    """The responses of all pages of a site, by path, with and without `.html`."""
    types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
    found = {
        f"/{assets_folder()}/{name}": Reply("/assets", data, types[Path(name).suffix], FIXED)
        for name, data in assets().items()
    }
    lookup = Reply("/", views.lookup_page(catalog, index, served=True), HTML)
    builds = Reply("/builds", views.builds_page(catalog), HTML)
    fleets = Reply("/fleets", fleets_page(catalog, served=True), HTML)
    releases = Reply("/releases", views.releases_page(catalog, (), served=True), HTML)
    found |= {"/": lookup, "/index.html": lookup, "/builds": builds, "/builds.html": builds}
    found |= {"/fleets": fleets, "/fleets.html": fleets, "/releases": releases, "/releases.html": releases}
    images = views.image_pages(catalog)
    for name, build in catalog.builds.items():
        found[f"/builds/{name}"] = _image(images[build.component.key.hex()]("../" * (1 + name.count("/"))))
    for sha256, made in images.items():
        found[f"/builds/{sha256}"] = found[f"/builds/{sha256}.html"] = _image(made("../"))
    data = page_data.page_data(catalog, index, trust, time.time())
    found[f"/{page_data.NAME}"] = Reply("/page.json", data, JSON)
    return {path: reply.shrunk() for path, reply in found.items()}


def _image(body: bytes) -> Reply:
    return Reply("/builds/{name}", body, HTML)
