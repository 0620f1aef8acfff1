"""OpenRelease: a release that is open for requests, and its cached responses."""

from __future__ import annotations

import time
import weakref
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import Answer, found_answer
from catalog.ask.answering import related_answer
from catalog.ask.lookup import Lookups
from catalog.ask.related_digests import Relating
from catalog.ask.verification import VerificationInputs
from catalog.errors import Stale
from catalog.evidence.evidence import Evidence
from catalog.launch.hashing.backends import choose
from catalog.pages import page_data, views
from catalog.pages.assets import assets, assets_folder
from catalog.pages.fleets import fleets_page
from catalog.store.catalog import Catalog
from catalog.store.ranges import RangeIndex
from catalog.terminal import render
from catalog.verify.checked_endorsed import check_endorsed
from catalog.verify.checked_index import check_index_once
from catalog.verify.release_files import LogFiles, checkpoint_of_release
from catalog.web.release.prepared import PreparedAnswers
from catalog.web.release.ranges_made import ServedRanges, ranges_for
from catalog.web.replies import FIXED, HTML, JSON, WORTH_PACKING, Reply
from catalog.work.progress import StartProgress

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.trust import Trust

MAX_KEPT = 64 << 20
"""Bytes of answers that are cached."""

_PATHS = tuple(len("/d/.json") + digits for digits in (64, 96))
"""Characters of the paths of launch digests."""

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
    fresh_until: seconds since 1970; 0 for a catalog that is not published, or whose release is not verified.
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

    def __post_init__(self) -> None:
        self.fresh_until = self.catalog.release.fresh_until if self.catalog.release else 0
        self._prepare()

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
    def is_stale(self) -> bool:
        """Whether the time until which the release is fresh is over."""
        return bool(self.fresh_until and time.time() > self.fresh_until)

    def check_fresh(self) -> None:
        """Raises Stale if the release is stale."""
        if self.is_stale:
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

    def prepared_answer(self, path: str) -> bytes | None:
        """The body of the response to `/d/DIGEST.json` if it can be put together; None: the routes have to answer."""
        if len(path) not in _PATHS or path[:3] != "/d/" or path[-5:] != ".json" or self.is_stale:
            return None
        try:
            digest = bytes.fromhex(path[3:-5])
        except ValueError:
            return None
        body = self.prepared.found(digest)
        return body if body and len(body) < WORTH_PACKING else None

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

    def rest(self) -> None:
        """Drop what only makes many lookups fast; the next ones begin anew."""
        self._prepare()
        self.lookups.forget()

    def _prepare(self) -> None:
        self.prepared = PreparedAnswers(self.lookups, lambda _, answer: answer.to_dict())
        self.prepared_lines = PreparedAnswers(self.lookups, line_of_batch)

    def forget_stale(self) -> None:
        """Drop all cached answers if the release is stale."""
        if self.is_stale:
            self.answers.clear()
            self._kept = 0

    def _forget(self, key: str) -> None:
        if found := self.answers.pop(key, None):
            self._kept -= _size(key, found)


def line_of_batch(digest: LaunchDigest, answer: Answer) -> dict[str, Any]:
    """One digest of a batch in JSON."""
    return {"launch_digest": digest.hex(), "found": bool(answer.matches), **answer.found_dict()}


def _size(key: str, reply: Reply) -> int:
    """Bytes that a cached response takes."""
    return len(key) + len(reply.body) + len(reply.packed) + _OVERHEAD


def _tag(catalog: Catalog) -> str:
    """ETag: changes whenever any response of this release could change."""
    release = catalog.release
    of_release = f"{release.root[:16]}-{release.trust_version}-{release.fresh_until:x}-" if release else ""
    return f'"{catalog.manifest_sha256[:16]}-{of_release}{assets_folder()[-8:]}"'


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
