"""Whether one published release goes on from another: its log begins with the leaves of the other one."""

from __future__ import annotations

from catalog.errors import VerificationFailed
from catalog.fast.published import PublishedRelease
from catalog.log.log_reader import LogReader, open_log
from catalog.transparency.checkpoint import Checkpoint


def continuation(old: PublishedRelease, new: PublishedRelease) -> str:
    """In a line; raises VerificationFailed for a fork, and what reading the tiles of the later one does."""
    if old.origin != new.origin:
        return f"two logs: {old.origin} and {new.origin}"
    earlier, later = sorted((old, new), key=lambda one: one.size)
    before, after = (Checkpoint(one.origin, one.size, bytes.fromhex(one.root)) for one in (earlier, later))
    if before == after:
        return f"both are of one checkpoint of {after.size:,} leaves"
    try:
        LogReader(open_log(later), after).check_follows(before)
    except VerificationFailed as error:
        places = [open_log(one).name for one in (later, earlier)]
        raise VerificationFailed(
            f"a fork of {old.origin}: the checkpoint of {after.size} leaves in {places[0]} does not go on from that of "
            f"{before.size} leaves in {places[1]}",
            "keep both folders: two histories that one log signed are evidence",
        ) from error
    which = (
        "the new one goes on from the old one" if later is new else "the old one is later, and goes on from the new one"
    )
    return f"{which}: {before.size:,} of {after.size:,} leaves are the same"
