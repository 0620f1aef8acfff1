"""The newest release of a log: verified, also against what this machine saw of the log before, and remembered.

The fast path relies on what is remembered of a folder (docs/adr/0010).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import MalformedInput, OlderThanSeen, Stale, Unreadable, UntrustedSigner, VerificationFailed
from catalog.fast.published import PublishedRelease, Remembered
from catalog.files.inputs import unreadable
from catalog.state.folders import state_folder
from catalog.store.catalog import Catalog
from catalog.verify.checked_index import check_index_once

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.fast.folder_location import FolderLocation
    from catalog.log.log_folder import LogFolder
    from catalog.log.seen import Kept
    from catalog.transparency.note import Note
    from catalog.verify.verify_release import VerifiedRelease

Warn = Callable[[str], None]


def verify_newest(
    log: LogFolder, number: int | None, trust: bytes, *, now: int, warn: Warn, memory: Remembered | None = None
) -> tuple[VerifiedRelease, Note]:
    """Verify a release and remember its checkpoint. Returns it with the newest note that is kept of its log.

    number: of the release; None for the last one.
    trust: the trust note, as read from its file.
    now: seconds since 1970.
    memory: of the folder, which has to be the same log as when it was verified last.
    Raises as `verify_release`, `verified_against_seen` and `read_trust`.
    """
    from catalog.log.seen import Kept
    from catalog.state.seen_logs import seen_checkpoints, verified_against_seen  # cryptography takes long to load
    from catalog.transparency.trust import read_trust
    from catalog.verify.verify_release import verify_release

    trust_note = read_trust(trust)

    def verify(kept: Mapping[str, Kept]) -> tuple[VerifiedRelease, Kept]:
        seen = seen_checkpoints(kept)
        try:
            verified = verify_release(log, number, trust_note, now=now, seen=seen)
        except (UntrustedSigner, OlderThanSeen, Stale):
            raise
        except (VerificationFailed, MalformedInput):  # perhaps because of what was not read now
            if not log.forget():
                raise
            verified = verify_release(log, number, trust_note, now=now, seen=seen)
        origin = verified.release.origin
        if memory and (before := remembered_origin(memory)) not in (None, origin):
            raise another_log(f"{log.name} is now log {origin}; it was log {before}", memory)
        return verified, Kept(verified.note, *verified.found, verified.last.revocations)

    verified, kept = verified_against_seen({log.name for log in trust_note.policy.logs}, verify)
    if verified.last.note:
        warn(verified.last.note)
    return verified, kept or verified.note


def verify_once(location: FolderLocation, log: LogFolder, trust: bytes, *, now: int, warn: Warn) -> PublishedRelease:
    """As `verify_newest`, but once for each checkpoint and trust note of a folder. Then the index is checked, too.

    Raises as `verify_newest`, `check_index_once` and `check_endorsed`.
    """
    memory = Remembered(str(state_folder()), location, trust)
    try:
        before = memory.release(now)
    except OSError as error:
        raise unreadable(Path(memory.path), error) from error
    if before:
        return before
    from catalog.verify.checked_endorsed import check_endorsed  # cryptography takes long to load

    verified, kept = verify_newest(log, location.number, trust, now=now, warn=warn, memory=memory)
    catalog = Catalog.open_release(verified.release)
    is_checked = check_index_once(catalog)
    check_endorsed(catalog, verified.release)
    remembered = copy(verified.release)
    if (
        catalog.notes or not is_checked
    ):  # the fast path, or a later version, could not tell what was not checked: never fresh
        remembered.fresh_until = 0
    remember(memory, remembered, verified.note, kept, now)
    return verified.release


def remember(memory: Remembered, release: PublishedRelease, verified: Note, kept: Note, now: int) -> None:
    """Remember which log the folder is, and the release while it is fresh. If that fails, it is verified again.

    verified: the note with the checkpoint. kept: the newest note of the log.
    """
    from catalog.log.log_folder import StateFolder
    from catalog.state.seen_logs import SeenLog
    from catalog.transparency.trust import MAX_AHEAD

    log, path = SeenLog("seen", release.origin), Path(memory.path)
    text = memory.text(release, bytes(verified), (str(log.path), bytes(kept)), now - MAX_AHEAD)
    with suppress(Unreadable), log.locked():
        StateFolder(path.parent.parent).write([(f"{path.parent.name}/{path.name}", text)])


def remembered_origin(memory: Remembered) -> str | None:
    """The origin of the log that a folder was when it was verified last; None if it never was.

    Raises Unreadable if others can write to the file that remembers it.
    """
    try:
        return memory.origin()
    except OSError as error:
        raise unreadable(Path(memory.path), error) from error


def another_log(what: str, memory: Remembered) -> VerificationFailed:
    """The error for a folder that was another log when it was verified last."""
    return VerificationFailed(
        f"{what} when it was verified last", f"get it again; if the change is intended: rm {memory.path}"
    )
