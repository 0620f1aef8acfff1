"""Verify a release: a trust note, the checkpoint, its age, what was seen before; then what its last leaves say.

The release record names the manifest by its hash, and the manifest every file: what is read of the catalog later is
verified against it as it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.errors import MalformedInput, OlderThanSeen, Unreadable, UsageError
from catalog.query.log_reader import LogReader
from catalog.query.published import PublishedRelease
from catalog.release import manifest
from catalog.release.log_folder import LogFolder
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust


@dataclass(frozen=True, slots=True)
class VerifiedRelease:
    """A release, and the signed checkpoint to remember as the newest one seen of its log."""

    release: PublishedRelease
    note: Note
    checkpoint: Checkpoint


def verify_release(
    log: LogFolder, number: int | None, trust: Trust, *, now: int, seen: Mapping[str, Checkpoint]
) -> VerifiedRelease:
    """The release of that number, or the last one. now: seconds since 1970. seen: by origin, newest checkpoints.

    Raises VerificationFailed for a trust note that has expired and for a log that is not the one it was,
    UntrustedSigner, OlderThanSeen, Stale, and what reading the log does.
    """
    trust.check_expiry(now)
    note = checkpoint_of(log)
    checkpoint, signers = trust.open_checkpoint(note)
    reader = LogReader(log, checkpoint)
    if before := seen.get(checkpoint.origin):
        if checkpoint.size < before.size:
            raise OlderThanSeen(
                f"{log.name} has {checkpoint.size} leaves, and {before.size} of this log were seen before",
                "get the log anew; if it stays so, it was rolled back",
            )
        reader.check_follows(before)
    until = trust.check_fresh(signers, next(reader.releases()).time, now)
    verified = {"trust_version": trust.version, "fresh_until": min(until, trust.expires)}
    return VerifiedRelease(release_at(log, number, reader, checkpoint, **verified), note, checkpoint)


def verify_past_release(log: LogFolder, number: int | None, trust: Trust, *, now: int) -> PublishedRelease:
    """A release as it was published once: signed and cosigned, and as old as it is. Raises as `verify_release`."""
    trust.check_expiry(now)
    checkpoint, _ = trust.open_checkpoint(checkpoint_of(log))
    return release_at(log, number, LogReader(log, checkpoint), checkpoint, trust_version=trust.version)


def unverified_release(log: LogFolder, number: int | None) -> PublishedRelease:
    """The same of a checkpoint that whoever writes to the folder may have made; raises what reading the log does."""
    checkpoint = Checkpoint.parse(checkpoint_of(log).text)
    return release_at(log, number, LogReader(log, checkpoint), checkpoint)


def checkpoint_of(log: LogFolder) -> Note:
    """What is published, unverified; raises Unreadable where nothing is."""
    note = log.checkpoint()
    if note is None:
        raise Unreadable(f"no log at {log.name}", "ldcat publish makes it")
    return note


def release_at(
    log: LogFolder,
    number: int | None,
    reader: LogReader,
    checkpoint: Checkpoint,
    *,
    trust_version: int = 0,
    fresh_until: int = 0,
) -> PublishedRelease:
    """A release by what the log says at a checkpoint; raises UsageError for one it does not have, and as `reader`."""
    last = next(reader.releases())
    wanted = last if number is None else next((r for r in reader.releases() if r.release == number), None)
    if wanted is None:
        raise UsageError(f"the log {checkpoint.origin} has no release {number}", f"its last one is {last.release}")
    if manifest.NAME not in wanted.artifacts:
        raise MalformedInput(f"release {wanted.release} of {checkpoint.origin} names no {manifest.NAME}")
    return PublishedRelease(
        log=str(log.root),
        source=None if log.is_here else log,
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        number=wanted.release,
        last=last.release,
        manifest_sha256=wanted.artifacts[manifest.NAME],
        revocations_sha256=last.revocations_sha256,
        trust_version=trust_version,
        newer_trust=stands_by if trust_version and (stands_by := last.trust_version or 0) > trust_version else 0,
        fresh_until=fresh_until,
    )
