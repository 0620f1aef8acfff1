"""Whether two published releases are consistent: the log of the later one begins with the leaves of the earlier."""

from __future__ import annotations

from catalog.errors import VerificationFailed
from catalog.fast.published import PublishedRelease
from catalog.log.log_reader import LogReader, open_log
from catalog.transparency.checkpoint import Checkpoint


def continuation(old: PublishedRelease, new: PublishedRelease) -> str:
    """Say in one line how two releases relate. Raises VerificationFailed for a fork, and as LogReader.check_follows."""
    if old.origin != new.origin:
        return f"two logs: {old.origin} and {new.origin}"
    earlier, later = sorted((old, new), key=lambda one: one.size)
    before, after = (Checkpoint(one.origin, one.size, bytes.fromhex(one.root)) for one in (earlier, later))
    if before == after:
        if old.number == new.number:
            return f"both are release {new.number} of one log, at the same checkpoint of {after.size:,} leaves"
        return f"one log that only grew: its checkpoint of {after.size:,} leaves contains both releases"
    try:
        LogReader(open_log(later), after).check_follows(before)
    except VerificationFailed as error:
        places = [open_log(one).name for one in (later, earlier)]
        raise VerificationFailed(
            f"a fork of {old.origin}: the checkpoint of {after.size} leaves in {places[0]} is not consistent with that "
            f"of {before.size} leaves in {places[1]}",
            "keep both folders: they are evidence that the log signed two histories",
        ) from error
    which = "the new one extends the old one" if later is new else "the old one is later, and extends the new one"
    return f"{which}: {before.size:,} of {after.size:,} leaves are the same"
