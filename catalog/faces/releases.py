"""Catalogs that are asked: a folder of one's own as it is, a published release once it is verified."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import UsageError
from catalog.faces import render
from catalog.faces.options import default_catalog, named_path, remembered, state_folder
from catalog.query.evidence_files import read_bounded
from catalog.query.published import MAX_READ, PublishedRelease, Remembered, log_of
from catalog.query.store import Catalog

TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        parser=named_path,
        metavar="FILE",
        envvar="LDCAT_TRUST",
        help="Trust note that a published release is verified against.",
    ),
]

SkipVerifyOption = Annotated[
    bool,
    typer.Option(
        "--insecure-skip-verify", help="Believe a published release without a trust note: whoever wrote it, and when."
    ),
]


def open_asked(folder: Path | None, trust: Path | None, *, skip: bool, quiet: bool) -> Catalog:
    """The catalog to ask, or the default one: that of a log's release is verified, and it is said which one it is.

    Raises UsageError where nothing says whom to trust, and what verifying a release does.
    """
    asked = folder or default_catalog()
    place = log_of(str(asked))
    if place is None:
        _refuse_in_vain(asked, trust, skip=skip)
        return Catalog.open(asked)
    if skip:
        from catalog.query.verify_release import unverified_release  # cryptography takes long to load
        from catalog.release.log_folder import LogFolder

        release = unverified_release(LogFolder(Path(place[0])), place[1])
        render.warning(f"{release.said()}: whoever wrote to {place[0]} may have made it, and may hide what is newer")
        return Catalog.open_release(release)
    if trust is None:
        raise UsageError(
            f"{asked} is published in a log, and nothing says whom to trust",
            "--trust FILE, the trust note of its publisher; or --insecure-skip-verify",
        )
    release = _verified(asked, place, read_bounded(str(trust), sys.stdin.buffer, MAX_READ))
    if not quiet:
        render.note(release.said())
    return Catalog.open_release(release)


def _verified(asked: Path, place: tuple[str, int | None], trust: bytes) -> PublishedRelease:
    """Once for each checkpoint and trust note: what was verified is remembered, and so is the newest checkpoint."""
    memory, now = Remembered(str(state_folder()), str(asked), trust), int(time.time())
    if before := memory.release(place[0], now):
        return before
    from catalog.query.verify_proof import read_trust  # cryptography takes long to load
    from catalog.query.verify_release import verify_release
    from catalog.release.log_folder import LogFolder

    believed = read_trust(trust)
    memories = {log.name: remembered("seen", log.name) for log in believed.policy.logs}
    seen = {origin: checkpoint for origin, kept in memories.items() if (checkpoint := kept.checkpoint())}
    verified = verify_release(LogFolder(Path(place[0])), place[1], believed, now=now, seen=seen)
    newest = memories[verified.release.origin]
    if verified.checkpoint != seen.get(verified.release.origin):
        newest.write(verified.note)
    if newest.checkpoint() == verified.checkpoint:  # and nobody saw a newer one meanwhile
        kept = memory.text(verified.release, bytes(verified.note), (str(newest.path), bytes(newest.read() or b"")))
        path = Path(memory.path)
        LogFolder(path.parent).write([(path.name, kept)])
    return verified.release


def _refuse_in_vain(asked: Path, trust: Path | None, *, skip: bool) -> None:
    """A trust note of the environment is a setting of this machine, and no word on this catalog."""
    if skip or (trust is not None and str(trust) != os.environ.get("LDCAT_TRUST")):
        raise UsageError(
            f"{asked} is not published in a log, so there is nothing to verify",
            "name the folder of the log, or a release in it",
        )
