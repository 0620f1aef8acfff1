"""Open a catalog: a local one as it is, a published release after verification. All commands and services do it here.

This module decides which trust note counts, what is compared with what was seen before, what is remembered, and what
the user is warned of. The caller shows the notices.
"""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import NotThere, UsageError
from catalog.fast import xdg
from catalog.fast.asked import CheckpointAge
from catalog.fast.folder_location import FolderLocation, is_within
from catalog.fast.published import PublishedRelease, Remembered
from catalog.files.inputs import exists
from catalog.state.folders import receipts
from catalog.store.catalog import Catalog
from catalog.verify.location import CatalogLocation, HostedLocation, is_published, locate_folder
from catalog.verify.newest_release import Warn, another_log, remembered_origin, verify_once
from catalog.verify.notices import Notices
from catalog.verify.trust_choice import TrustChoice

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder


URL_BEGINS = "a URL begins with https://, or on this machine with http://"
"""The hint for a folder that is not there."""


class Freshness(Enum):
    """What is required of a release besides its signatures.

    NEWEST: it is fresh, and not older than what was seen before.
    PAST: nothing; it may be of any age.
    """

    NEWEST = auto()
    PAST = auto()


def open_catalog(
    location: CatalogLocation,
    trust: TrustChoice,
    *,
    freshness: Freshness = Freshness.NEWEST,
    now: int,
    notices: Notices,
    age: CheckpointAge | None = None,
) -> Catalog:
    """Open the catalog at a location; a release of a log is verified.

    now: seconds since 1970.
    age: of the checkpoint that may be used of a log at a host without asking it; if not given, the host is asked.

    Raises UsageError if no trust note is named, or if there is nothing to verify; Stale, OlderThanSeen,
    UntrustedSigner, FalseRecord, VerificationFailed if verification fails; Unreadable, also for a host that does not
    answer, and MalformedInput for files that cannot be read.
    """
    folder = None if isinstance(location, HostedLocation) else locate_folder(location)
    if folder and folder.log is None:
        opened = _open_own(folder, str(location), trust, notices)
    else:
        opened = _open_published(location, folder, trust, freshness, now, notices, age)
    for note in opened.notes:
        notices.warn(note.text)
    return opened


def open_unpublished(folder: Path) -> Catalog:
    """Open a catalog to publish it. Raises UsageError for a release of a log, which would be signed unverified."""
    if is_published(folder):
        raise UsageError(
            f"{folder} is already published in a log", "verify it, copy the folder of the release, and publish the copy"
        )
    return Catalog.open(folder)


def _open_published(
    location: CatalogLocation,
    folder: FolderLocation | None,
    trust: TrustChoice,
    freshness: Freshness,
    now: int,
    notices: Notices,
    age: CheckpointAge | None,
) -> Catalog:
    log, number = log_at(location, folder)
    if trust.skip:
        return _opened(_unverified(log, number, notices), notices)
    file = trust.file_for(location)
    if folder and is_within(str(file), folder):
        notices.warn(f"{file} is in the folder of the log: whoever can write there decides whom you trust")
    note = trust.bytes_for(location)
    if freshness is Freshness.PAST:
        release = _verified_past(log, number, note, now)
    elif folder:
        release = verify_once(folder, log, note, now=now, warn=notices.warn)
    else:
        release = _newest_at_host(location, log, note, now=now, age=age, warn=notices.warn)
    opened = _opened(release, notices)
    notices.note(release.summary())
    if release.newer_trust:
        notices.warn(
            f"the publisher of {release.origin} uses version {release.newer_trust} of the trust note: "
            "get it from where you got this one"
        )
    return opened


def _open_own(folder: FolderLocation, name: str, trust: TrustChoice, notices: Notices) -> Catalog:
    """Open a local catalog. A configured trust note is a setting of the machine, so it does not prevent this."""
    if trust.skip or trust.named:
        if not exists(Path(name)):
            raise NotThere(f"{name}: no such folder", URL_BEGINS)
        raise UsageError(
            f"{name} is not published in a log, so there is nothing to verify",
            "name the folder of the log, or a release in it",
        )
    home = xdg.state_home()
    memory = Remembered(home, folder) if home else None
    if memory and (before := remembered_origin(memory)):
        raise another_log(f"{name} is not a log now, and was {before}", memory)
    opened = Catalog.open(Path(name))
    if trust.configured and not receipts().know(opened.manifest_sha256):
        notices.warn(f"{name} is not published in a log, and was not built here: NOT VERIFIED")
    return opened


def log_at(location: CatalogLocation, folder: FolderLocation | None) -> tuple[LogFolder, int | None]:
    """The log at a location, and the number of the release; None for the last one."""
    if isinstance(location, HostedLocation):
        from catalog.verify.hosted_log import HostedLog  # cryptography takes long to load

        return HostedLog.of(location), location.number
    from catalog.log.log_folder import LogFolder

    assert folder is not None, "a folder was located"  # noqa: S101
    return LogFolder(Path(folder.log or "")), folder.number


def _unverified(log: LogFolder, number: int | None, notices: Notices) -> PublishedRelease:
    from catalog.verify.verify_release import unverified_release  # cryptography takes long to load

    release = unverified_release(log, number)
    notices.warn(f"{release.summary()}: whoever wrote to {log.name} may have made it, and may hide what is newer")
    return release


def _verified_past(log: LogFolder, number: int | None, trust: bytes, now: int) -> PublishedRelease:
    from catalog.transparency.trust import read_trust  # cryptography takes long to load
    from catalog.verify.verify_release import verify_past_release

    return verify_past_release(log, number, read_trust(trust), now=now)


def _newest_at_host(
    location: CatalogLocation, log: LogFolder, trust: bytes, *, now: int, age: CheckpointAge | None, warn: Warn
) -> PublishedRelease:
    from catalog.verify.hosted_log import HostedLog  # cryptography takes long to load
    from catalog.verify.newest_at_host import verify_at_host

    assert isinstance(location, HostedLocation) and isinstance(log, HostedLog), "it is no folder"  # noqa: S101, PT018
    return verify_at_host(location, log, trust, now=now, age=age, warn=warn)


def _opened(release: PublishedRelease, notices: Notices) -> Catalog:
    """Open the catalog of a release. If it is at a host, its files are fetched when they are needed."""
    if release.source is None:
        return Catalog.open_release(release)
    opened: Catalog = release.source.open(release, notices.fetching)
    return opened
