"""Catalogs that are asked: a folder of one's own as it is, a published release once it is verified."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import Unreadable, UsageError, VerificationFailed
from catalog.faces import homes, render
from catalog.faces.options import default_catalog, named_path, receipts, remembered, state_folder
from catalog.firmware.build import FirmwareBuild
from catalog.query.published import CHECKPOINT, MAX_READ, Place, PublishedRelease, Remembered, is_within, place_of
from catalog.query.store import Catalog
from catalog.release import embedded
from catalog.release.inputs import read_file, unreadable

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.release.log_folder import LastCheckpoint

TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        parser=named_path,
        metavar="FILE",
        help="Trust note that a published release is verified against; else the file that LDCAT_TRUST names.",
    ),
]

SkipVerifyOption = Annotated[
    bool,
    typer.Option(
        "--insecure-skip-verify", help="Believe a published release without a trust note: whoever wrote it, and when."
    ),
]


def open_asked(folder: Path | None, trust: Path | None, *, skip: bool, quiet: bool, past: bool = False) -> Catalog:
    """The catalog to ask, or the default one: that of a log's release is verified, and it is said which one it is.

    past: it may be of an old checkpoint, which somebody kept. Raises UsageError where nothing says whom to trust, and
    what verifying a release does.
    """
    asked = folder or default_catalog()
    place = published_place(asked)
    if place.log is None:
        return _open_own(asked, place, trust, skip=skip)
    if skip:
        from catalog.query.verify_release import unverified_release  # cryptography takes long to load
        from catalog.release.log_folder import LogFolder

        release = unverified_release(LogFolder(Path(place.log)), place.number)
        render.warning(f"{release.said()}: whoever wrote to {place.log} may have made it, and may hide what is newer")
        return Catalog.open_release(release)
    if note := trust or _trust_of_environment():
        release = (_verified_past if past else _verified)(place, Path(place.log), note)
        opened = Catalog.open_release(release)
        _say(release, quiet=quiet)
        return opened
    raise UsageError(
        f"{asked} is published in a log, and nothing says whom to trust",
        "--trust FILE, the trust note of its publisher; or --insecure-skip-verify",
    )


def known_builds(catalog: Path | None, trust: Path | None, *, skip: bool, quiet: bool) -> Mapping[str, FirmwareBuild]:
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


@contextmanager
def newest_seen(origins: Iterable[str]) -> Iterator[Mapping[str, LastCheckpoint]]:
    """The newest checkpoints that were verified here, by origin, to read and write while nobody else does.

    Raises Unreadable where they cannot be kept: nothing is believed that would be forgotten.
    """
    from catalog.release.log_folder import LogFolder  # cryptography takes long to load

    with ExitStack() as held:
        try:
            held.enter_context(LogFolder(state_folder() / "seen").locked(wait=True))
        except Unreadable as error:
            hint = "the newest checkpoint seen is kept there; XDG_STATE_HOME names another place"
            raise Unreadable(str(error), hint) from error
        yield {origin: remembered("seen", origin) for origin in origins}


def _verified(place: Place, folder: Path, trust: Path) -> PublishedRelease:
    """Once for each checkpoint and trust note: what was verified is remembered, and so is the newest checkpoint."""
    note = _read_trust(trust, place)
    memory = Remembered(str(state_folder()), place, note)
    if before := memory.release(time.time()):
        return before
    from catalog.query.verify_proof import read_trust  # cryptography takes long to load
    from catalog.query.verify_release import verify_release
    from catalog.release.log_folder import LogFolder
    from catalog.transparency.trust import MAX_AHEAD

    believed = read_trust(note)
    with newest_seen({log.name for log in believed.policy.logs}) as memories:
        now = int(time.time())
        seen = {origin: checkpoint for origin, kept in memories.items() if (checkpoint := kept.checkpoint())}
        verified = verify_release(LogFolder(folder), place.number, believed, now=now, seen=seen)
        release = verified.release
        if memory.origin() not in (None, release.origin):
            raise _another(f"{folder} is the log {release.origin} now, and was {memory.origin()}", memory)
        newest = memories[release.origin]
        if verified.checkpoint != seen.get(release.origin):
            newest.write(verified.note)
        kept = (str(newest.path), bytes(newest.read() or b""))
        text, path = memory.text(release, bytes(verified.note), kept, now - MAX_AHEAD), Path(memory.path)
        with suppress(Unreadable):  # then it is verified again the next time
            LogFolder(path.parent).write([(path.name, text)])
    return release


def _verified_past(place: Place, folder: Path, trust: Path) -> PublishedRelease:
    from catalog.query.verify_proof import read_trust  # cryptography takes long to load
    from catalog.query.verify_release import verify_past_release
    from catalog.release.log_folder import LogFolder

    believed = read_trust(_read_trust(trust, place))
    return verify_past_release(LogFolder(folder), place.number, believed, now=int(time.time()))


def _read_trust(trust: Path, place: Place) -> bytes:
    if is_within(str(trust), place):
        render.warning(f"{trust} is in the folder of the log: whoever writes there says whom you trust")
    return read_file(trust, limit=MAX_READ, regular=True)


def _open_own(asked: Path, place: Place, trust: Path | None, *, skip: bool) -> Catalog:
    """A trust note of the environment is a setting of this machine, and no word on this catalog."""
    if skip or trust:
        raise UsageError(
            f"{asked} is not published in a log, so there is nothing to verify",
            "name the folder of the log, or a release in it",
        )
    home = homes.state_home()
    memory = Remembered(home, place) if home else None
    if memory and (before := memory.origin()):
        raise _another(f"{asked} is no log now, and was {before}", memory)
    opened = Catalog.open(asked)
    if _trust_of_environment() and not receipts().know(opened.manifest_sha256):
        render.warning(f"{asked} is not published in a log, and was not built here: NOT VERIFIED")
    return opened


def _another(what: str, memory: Remembered) -> VerificationFailed:
    return VerificationFailed(
        f"{what} when it was verified last", f"get it anew; if it is meant to be another, remove {memory.path}"
    )


def _trust_of_environment() -> Path | None:
    named = os.environ.get("LDCAT_TRUST")
    return Path(named) if named else None


def _say(release: PublishedRelease, *, quiet: bool) -> None:
    if not quiet:
        render.note(release.said())
    if release.newer_trust:
        render.warning(
            f"the publisher of {release.origin} stands by version {release.newer_trust} of the trust note: get it "
            "from whom you got this one"
        )
