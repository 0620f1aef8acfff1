"""Verify a release: a trust note, the checkpoint, its age, what was seen before; then what its last leaves say.

The release record names the manifest by its hash, and the manifest every file: what is read of the catalog later is
verified against it as it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.errors import MalformedInput, OlderThanSeen, Unreadable, UsageError
from catalog.fast.published import PublishedRelease
from catalog.log.log_folder import LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.records import ReleaseRecord
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import check_goes_on
from catalog.log.seen import Seen
from catalog.store import manifest
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust
from catalog.verify.release_check import LastRelease, chain_seen, check_last_release


@dataclass(frozen=True, slots=True)
class VerifiedRelease:
    """A release, the signed checkpoint, and the last release of the log as it was checked."""

    release: PublishedRelease
    note: Note
    checkpoint: Checkpoint
    last: LastRelease

    @property
    def seen(self) -> Seen:
        """The newest of this log, from now on."""
        return Seen(self.checkpoint, *self.found)

    @property
    def found(self) -> tuple[RevocationChain, bool, bool]:
        """Of its revocations: their chain, whether every leaf was read, and whether the release commits to it."""
        return self.last.chain, self.last.from_leaves, RevocationChain.committed(self.last.record) is not None


def verify_release(
    log: LogFolder, number: int | None, trust: Trust, *, now: int, seen: Mapping[str, Seen]
) -> VerifiedRelease:
    """The release of that number, or the last one. now: seconds since 1970. seen: by origin, the newest of each log.

    Raises VerificationFailed for a trust note that has expired and for a log that is not the one it was,
    UntrustedSigner, OlderThanSeen, Stale, FalseRecord for a last release that does not follow from its log or takes
    back a revocation that was seen, and what reading the log does.
    """
    trust.check_expiry(now)
    note = read_checkpoint(log)
    checkpoint, signers = trust.open_checkpoint(note)
    reader = LogReader(log, checkpoint)
    before = seen.get(checkpoint.origin)
    if before:
        if checkpoint.size < before.checkpoint.size:
            raise OlderThanSeen(
                f"{log.name} has {checkpoint.size} leaves, and {before.checkpoint.size} of this log were seen before",
                "get the log anew; if it stays so, it was rolled back",
            )
        reader.check_follows(before.checkpoint)
    last = check_last_release(log, reader, checkpoint, trust_version=trust.version, now=now, seen=before)
    until = trust.check_fresh(signers, last.record.time, now)
    if before:
        check_goes_on(last.revocations, chain_seen(reader, before))
    verified = {"trust_version": trust.version, "fresh_until": min(until, trust.expires)}
    release = release_at(log, number, reader, checkpoint, **verified)
    release.notes = last.unknown
    return VerifiedRelease(release, note, checkpoint, last)


def verify_past_release(log: LogFolder, number: int | None, trust: Trust, *, now: int) -> PublishedRelease:
    """A release as it was published once: signed and cosigned, and as old as it is. Raises as `verify_release`."""
    trust.check_expiry(now)
    checkpoint, _ = trust.open_checkpoint(read_checkpoint(log))
    reader = LogReader(log, checkpoint)
    last = check_last_release(log, reader, checkpoint, trust_version=trust.version, now=now)
    release = release_at(log, number, reader, checkpoint, trust_version=trust.version)
    release.notes = last.unknown
    return release


def unverified_release(log: LogFolder, number: int | None) -> PublishedRelease:
    """The same of a checkpoint that whoever writes to the folder may have made; raises what reading the log does."""
    checkpoint = Checkpoint.parse(read_checkpoint(log).text)
    return release_at(log, number, LogReader(log, checkpoint), checkpoint)


def read_checkpoint(log: LogFolder) -> Note:
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
    return release_of_record(log, checkpoint, wanted, last, trust_version=trust_version, fresh_until=fresh_until)


def release_of_record(
    log: LogFolder,
    checkpoint: Checkpoint,
    wanted: ReleaseRecord,
    last: ReleaseRecord,
    *,
    trust_version: int = 0,
    fresh_until: int = 0,
) -> PublishedRelease:
    """The same of a record that is in the log, and the last one."""
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
