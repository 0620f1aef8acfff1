"""Catalogs that are asked: a folder of one's own as it is, a published release once it is verified."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import Unreadable, UsageError, VerificationFailed
from catalog.fast import xdg
from catalog.fast.published import CHECKPOINT, MAX_READ, Place, PublishedRelease, Remembered, is_within, place_of
from catalog.files.inputs import read_file, unreadable
from catalog.firmware.build import FirmwareBuild
from catalog.spec import embedded
from catalog.state.places import checked, default_catalog, receipts, state_folder
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.verify.location import HostedPlace

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder
    from catalog.transparency.note import Note
    from catalog.transparency.trust import Trust
    from catalog.verify.verify_release import VerifiedRelease

Warn = Callable[[str], None]

_LARGE = 4 << 20
"""Bytes of a file whose coming is shown."""


def open_asked(
    asked: Path | HostedPlace | None,
    trust: Path | None,
    *,
    skip: bool,
    quiet: bool,
    past: bool = False,
    warn: Warn = render.warning,
) -> Catalog:
    """The catalog to ask, or the default one: that of a log's release is verified, and it is said which one it is.

    past: it may be of an old checkpoint, which somebody kept. warn: told what has to be known. Raises UsageError where
    nothing says whom to trust, and what verifying a release does; of a host, what fetching the release does.
    """
    if isinstance(asked, HostedPlace):
        return _open_hosted(asked, trust, skip=skip, quiet=quiet, past=past, warn=warn)
    folder = asked or default_catalog()
    place = published_place(folder)
    if place.log is None:
        return _open_own(folder, place, trust, skip=skip, warn=warn)
    if skip:
        return Catalog.open_release(_unverified(_log_at(place.log), place.number, warn))
    note = _trust_asked(folder, trust)
    if is_within(str(note), place):
        warn(f"{note} is in the folder of the log: whoever writes there says whom you trust")
    text = read_file(note, limit=MAX_READ, regular=True)
    release = _verified_past(_log_at(place.log), place.number, text) if past else _verified_once(place, text, warn)
    opened = Catalog.open_release(release)
    _say(release, quiet=quiet, warn=warn)
    return opened


def known_builds(
    catalog: Path | HostedPlace | None, trust: Path | None, *, skip: bool, quiet: bool
) -> Mapping[str, FirmwareBuild]:
    """Builds that can be named: the embedded ones, and those of a catalog where one is given.

    Raises UsageError where the catalog has another image under an embedded build's name, and as `open_asked`.
    """
    if catalog is None:
        if trust or skip:
            raise UsageError("there is nothing to verify without --catalog", "the embedded builds are part of ldcat")
        return embedded.builds()
    own = open_asked(catalog, trust, skip=skip, quiet=quiet).builds
    for name, build in own.items():
        if name in embedded.builds() and embedded.builds()[name].component != build.component:
            raise UsageError(
                f"{name} is an embedded build, and another image in the catalog", "measure it by its file or record"
            )
    return {**embedded.builds(), **own}


def open_own(folder: Path) -> Catalog:
    """A catalog to publish; raises UsageError for what is published already, and would be signed unverified."""
    if published_place(folder).log is not None:
        raise UsageError(
            f"{folder} is published in a log already", "verify it, copy the folder of the release, and publish the copy"
        )
    return Catalog.open(folder)


def check_index_once(catalog: Catalog) -> None:
    """Of a catalog that was neither built nor checked here: its index leads to its rows.

    Raises VerificationFailed where it does not, and what reading the catalog does.
    """
    if any(kept.know(catalog.manifest_sha256) for kept in (receipts(), checked())):
        return
    from catalog.store.index_check import check_index  # pyarrow takes long to load

    check_index(catalog)
    checked().keep(catalog.manifest_sha256)


def published_place(asked: Path) -> Place:
    """What a folder is by its name and its checkpoint; raises Unreadable for a release whose log is not there."""
    try:
        place = place_of(str(asked))
        there = place.log is None or os.path.lexists(f"{place.log}/{CHECKPOINT}")
    except OSError as error:
        raise unreadable(asked, error) from error
    if not there:
        raise Unreadable(
            f"{asked} has the name of a release, and {place.log} no checkpoint of a log",
            "get the log anew; or give a catalog of your own another name than releases/N",
        )
    return place


def trust_of(asked: object, trust: Path | None) -> Trust:
    """The trust note that a release is verified against; raises UsageError where there is none, and as reading it."""
    from catalog.transparency.trust import read_trust  # cryptography takes long to load

    return read_trust(read_file(_trust_asked(asked, trust), limit=MAX_READ, regular=True))


def _open_hosted(asked: HostedPlace, trust: Path | None, *, skip: bool, quiet: bool, past: bool, warn: Warn) -> Catalog:
    """Verified each time: whether the host has something newer is a part of the question."""
    from catalog.verify.hosted_log import HostedLog  # cryptography takes long to load

    log, revocations = HostedLog.of(asked), None
    if skip:
        release = _unverified(log, asked.number, warn)
    else:
        note = read_file(_trust_asked(asked, trust), limit=MAX_READ, regular=True)
        if past:
            release = _verified_past(log, asked.number, note)
        else:
            verified, _ = _verified(log, asked.number, note, warn=warn)
            release, revocations = verified.release, verified.last.revocations_json
    opened = log.open(release, partial(_fetching, quiet=quiet), revocations)
    if not skip:
        _say(release, quiet=quiet, warn=warn)
    return opened


@contextmanager
def _fetching(size: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how a file of so many bytes comes, where that takes a while."""
    with render.progress(quiet=quiet or size < _LARGE, plain=False) as begin:
        yield begin("fetched", size)


def _verified_once(place: Place, trust: bytes, warn: Warn) -> PublishedRelease:
    """For each checkpoint and trust note: what was verified is remembered, because the fast path stands on it."""
    memory = Remembered(str(state_folder()), place, trust)
    try:
        before = memory.release(time.time())
    except OSError as error:
        raise unreadable(Path(memory.path), error) from error
    if before:
        return before
    from catalog.log.log_folder import StateFolder
    from catalog.state.seen_logs import SeenLog  # cryptography takes long to load
    from catalog.transparency.trust import MAX_AHEAD

    verified, kept = _verified(_log_at(place.log or ""), place.number, trust, memory, warn=warn)
    check_index_once(Catalog.open_release(verified.release))
    log, since, path = SeenLog("seen", verified.release.origin), int(time.time()) - MAX_AHEAD, Path(memory.path)
    text = memory.text(verified.release, bytes(verified.note), (str(log.path), bytes(kept)), since)
    with suppress(Unreadable), log.locked():  # where it cannot be kept, it is verified again the next time
        StateFolder(path.parent.parent).write([(f"{path.parent.name}/{path.name}", text)])
    return verified.release


def _verified(
    log: LogFolder, number: int | None, trust: bytes, memory: Remembered | None = None, *, warn: Warn
) -> tuple[VerifiedRelease, Note]:
    """A release, and the newest note that is kept of its log.

    memory: says which log it has to be, where one was verified at that place before.
    """
    from catalog.state.seen_logs import Kept, seen_of, verified_against_seen  # cryptography takes long to load
    from catalog.transparency.trust import read_trust
    from catalog.verify.verify_release import verify_release

    believed = read_trust(trust)

    def verify(kept: Mapping[str, Kept]) -> tuple[VerifiedRelease, Kept]:
        verified = verify_release(log, number, believed, now=int(time.time()), seen=seen_of(kept))
        origin = verified.release.origin
        if memory and (before := _origin(memory)) not in (None, origin):
            raise _another(f"{log.name} is the log {origin} now, and was {before}", memory)
        return verified, Kept(verified.note, *verified.found)

    verified, kept = verified_against_seen({log.name for log in believed.policy.logs}, verify)
    if verified.last.note:
        warn(verified.last.note)
    return verified, kept or verified.note


def _log_at(folder: str | Path) -> LogFolder:
    from catalog.log.log_folder import LogFolder  # cryptography takes long to load

    return LogFolder(Path(folder))


def _verified_past(log: LogFolder, number: int | None, trust: bytes) -> PublishedRelease:
    from catalog.transparency.trust import read_trust  # cryptography takes long to load
    from catalog.verify.verify_release import verify_past_release

    return verify_past_release(log, number, read_trust(trust), now=int(time.time()))


def _unverified(log: LogFolder, number: int | None, warn: Warn) -> PublishedRelease:
    from catalog.verify.verify_release import unverified_release  # cryptography takes long to load

    release = unverified_release(log, number)
    warn(f"{release.said()}: whoever wrote to {log.name} may have made it, and may hide what is newer")
    return release


def _trust_asked(asked: object, trust: Path | None) -> Path:
    if note := trust or _trust_of_environment():
        return note
    raise UsageError(
        f"{asked} is published in a log, and nothing says whom to trust",
        "--trust FILE, the trust note of its publisher; or --insecure-skip-verify",
    )


def _open_own(asked: Path, place: Place, trust: Path | None, *, skip: bool, warn: Warn) -> Catalog:
    """A trust note of the environment is a setting of this machine, and no word on this catalog."""
    if skip or trust:
        raise UsageError(
            f"{asked} is not published in a log, so there is nothing to verify",
            "name the folder of the log, or a release in it",
        )
    home = xdg.state_home()
    memory = Remembered(home, place) if home else None
    if memory and (before := _origin(memory)):
        raise _another(f"{asked} is no log now, and was {before}", memory)
    opened = Catalog.open(asked)
    if _trust_of_environment() and not receipts().know(opened.manifest_sha256):
        warn(f"{asked} is not published in a log, and was not built here: NOT VERIFIED")
    return opened


def _origin(memory: Remembered) -> str | None:
    """Raises Unreadable where what is remembered is not believed."""
    try:
        return memory.origin()
    except OSError as error:
        raise unreadable(Path(memory.path), error) from error


def _another(what: str, memory: Remembered) -> VerificationFailed:
    return VerificationFailed(
        f"{what} when it was verified last", f"get it anew; if it is meant to be another, remove {memory.path}"
    )


def _trust_of_environment() -> Path | None:
    named = os.environ.get("LDCAT_TRUST")
    return Path(named) if named else None


def _say(release: PublishedRelease, *, quiet: bool, warn: Warn) -> None:
    if not quiet:
        render.note(release.said())
    if release.newer_trust:
        warn(
            f"the publisher of {release.origin} stands by version {release.newer_trust} of the trust note: get it "
            "from whom you got this one"
        )
