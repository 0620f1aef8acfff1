"""The release that is served: opened and verified whole, and replaced once a newer one verifies."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from catalog.errors import LdcatError
from catalog.log.log_folder import CHECKPOINT
from catalog.log.log_reader import open_log
from catalog.net.no_answer import NoAnswer
from catalog.state.folders import default_catalog
from catalog.store import manifest
from catalog.terminal import render
from catalog.terminal.shown_notices import notices
from catalog.verify.location import CatalogLocation, HostedLocation
from catalog.verify.opening import open_catalog
from catalog.verify.releases_of_log import read_checkpoint
from catalog.verify.trust_choice import TrustChoice
from catalog.web.metrics import Metrics
from catalog.web.release.open_release import OpenRelease
from catalog.work.progress import StartProgress

LOOK_SECONDS = 2
"""Seconds between polls of a local log folder."""

ASK_SECONDS = 60
"""Seconds between polls of a hosted log, and before a refused release is tried again."""


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


def _sign(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
