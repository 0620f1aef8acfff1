"""The newest release of a log at a host: what was verified is remembered, as for a folder.

As long as the host has the checkpoint that was verified last, nothing but that checkpoint is fetched. Who accepts a
checkpoint that the host had some minutes ago does not even ask for it (docs/adr/0072).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from catalog.fast.asked import Asked, CheckpointAge
from catalog.fast.folder_location import FolderLocation
from catalog.fast.published import PublishedRelease, Remembered
from catalog.files import inputs
from catalog.files.writer import opened, placed
from catalog.state.folders import state_folder
from catalog.verify.hosted_log import HostedLog
from catalog.verify.location import HostedLocation
from catalog.verify.newest_release import Warn, remember, verify_newest


def verify_at_host(
    location: HostedLocation, log: HostedLog, trust: bytes, *, now: int, age: CheckpointAge | None, warn: Warn
) -> PublishedRelease:
    """Verify the release at a location, or recall it if its verification still holds.

    trust: the trust note, as read from its file.
    now: seconds since 1970.
    age: of a checkpoint that may be used without asking the host; None to ask, and not to remember when.
    Raises as `verify_newest`.
    """
    state = str(state_folder())
    memory = Remembered(state, FolderLocation(str(location), str(log.root), location.number), trust)
    asked = Asked(state, str(location))
    try:
        if age and age.seconds and asked.is_recent(log.kept_checkpoint(), age):
            found = memory.release(now)
            if found:
                return _of(log, found)
        checkpoint = log.ask_checkpoint()
        found = memory.release(now, checkpoint)
    except OSError as error:
        raise inputs.unreadable(Path(memory.path), error) from error
    if found is None:
        verified, kept = verify_newest(log, location.number, trust, now=now, warn=warn)
        found, checkpoint = verified.release, bytes(verified.note)
        log.at_hand.keep()
        if verified.last.note or found.notes:  # these have to be told each time
            return found
        log.keep_checkpoint(checkpoint)
        remember(memory, found, verified.note, kept, now)
    if age:
        _remember_when(state, asked, asked.text(checkpoint, age.now))
    return _of(log, found)


def _of(log: HostedLog, release: PublishedRelease) -> PublishedRelease:
    release.source = log
    return release


def _remember_when(state: str, asked: Asked, text: bytes) -> None:
    """Remember when the host was asked. If that fails, it is asked the next time."""
    folder, _, name = asked.name.rpartition("/")
    with suppress(OSError), opened(state, folder, private=True) as inner, placed(inner, name, private=True) as file:
        file.write(text)
