"""The releases of a log at a checkpoint, before or without verifying who signed it."""

from __future__ import annotations

from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.fast.manifest_lines import MANIFEST
from catalog.fast.published import PublishedRelease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.log.log_folder import LogFolder
    from catalog.log.log_reader import LogReader
    from catalog.log.plain_log import PlainLog
    from catalog.log.records import ReleaseRecord
    from catalog.transparency.checkpoint import Checkpoint
    from catalog.transparency.note import Note


def read_checkpoint(log: LogFolder | PlainLog) -> Note:
    """The published checkpoint, unverified. Raises Unreadable, also if there is none, and MalformedInput."""
    note = log.checkpoint()
    if note is None:
        raise Unreadable(f"no log at {log.name}", "ldcat publish makes it")
    return note


def release_at(
    log: LogFolder | PlainLog,
    number: int | None,
    reader: LogReader,
    checkpoint: Checkpoint,
    *,
    trust_version: int = 0,
    fresh_until: int = 0,
) -> PublishedRelease:
    """A release of a log at a checkpoint. Raises UsageError if the log does not have it, and as LogReader.

    number: of the release; None for the last one. fresh_until: seconds since 1970.
    """
    last = next(reader.releases())
    wanted = last if number is None else next((r for r in reader.releases() if r.release == number), None)
    if wanted is None:
        raise UsageError(f"the log {checkpoint.origin} has no release {number}", f"its last one is {last.release}")
    return release_of_record(log, checkpoint, wanted, last, trust_version=trust_version, fresh_until=fresh_until)


def release_of_record(
    log: LogFolder | PlainLog,
    checkpoint: Checkpoint,
    wanted: ReleaseRecord,
    last: ReleaseRecord,
    *,
    trust_version: int = 0,
    fresh_until: int = 0,
) -> PublishedRelease:
    """The release of a release record of the log. last: the last release record."""
    if MANIFEST not in wanted.artifacts:
        raise MalformedInput(f"release {wanted.release} of {checkpoint.origin} names no {MANIFEST}")
    return PublishedRelease(
        log=str(log.root),
        source=None if log.is_here else log,
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        number=wanted.release,
        last=last.release,
        manifest_sha256=wanted.artifacts[MANIFEST],
        revocations_sha256=last.revocations_sha256,
        trust_version=trust_version,
        newer_trust=stands_by if trust_version and (stands_by := last.trust_version or 0) > trust_version else 0,
        fresh_until=fresh_until,
    )
