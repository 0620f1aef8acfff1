"""Verify a release: the trust note, the checkpoint, what was seen before, the last release record, freshness.

The release record names the manifest by its hash, and the manifest names every file by its hash. Files of the catalog
are verified against them when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.errors import OlderThanSeen, VerificationFailed
from catalog.fast.published import PublishedRelease
from catalog.log.log_folder import LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.revocation_chain import RevocationChain, check_goes_on
from catalog.log.seen import NotAsSeen, Seen
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust
from catalog.verify.release_check import LastRelease, chain_seen, check_last_release
from catalog.verify.releases_of_log import read_checkpoint, release_at


@dataclass(frozen=True, slots=True)
class VerifiedRelease:
    """A verified release.

    release: the release.
    note: the signed checkpoint, with its signatures.
    checkpoint: the checkpoint in the note.
    last: the last release of the log, which was checked.
    """

    release: PublishedRelease
    note: Note
    checkpoint: Checkpoint
    last: LastRelease

    @property
    def seen(self) -> Seen:
        """What this machine has now seen of the log."""
        return Seen(self.checkpoint, *self.found)

    @property
    def found(self) -> tuple[RevocationChain, bool, bool]:
        """The chain of its revocations, whether every leaf was read, and whether the release commits to the chain."""
        return self.last.chain, self.last.from_leaves, RevocationChain.committed(self.last.record) is not None


def verify_release(
    log: LogFolder, number: int | None, trust: Trust, *, now: int, seen: Mapping[str, Seen]
) -> VerifiedRelease:
    """Verify a release of a log.

    number: of the release; None for the last one.
    now: seconds since 1970.
    seen: what this machine saw of each log before, by origin.
    Raises VerificationFailed for an expired trust note and for a fork, UntrustedSigner, OlderThanSeen, Stale,
    FalseRecord for a last release that does not follow from its log or that lacks a revocation that was seen,
    UsageError for a release that the log does not have, and as LogReader.
    """
    trust.check_expiry(now)
    note = read_checkpoint(log)
    checkpoint, signers = trust.open_checkpoint(note)
    log.prepare(checkpoint.size)
    reader = LogReader(log, checkpoint)
    before = seen.get(checkpoint.origin)
    if before:
        if checkpoint.size < before.checkpoint.size:
            raise OlderThanSeen(
                f"{log.name} has {checkpoint.size} leaves, and {before.checkpoint.size} of this log were seen before",
                "get the log again, since it was rolled back",
            )
        _check_follows(reader, before.checkpoint)
    last = check_last_release(log, reader, checkpoint, trust_version=trust.version, now=now, seen=before)
    until = trust.check_fresh(signers, last.record.time, now)
    if before:
        check_goes_on(last.revocations, chain_seen(reader, before))
    verified = {"trust_version": trust.version, "fresh_until": min(until, trust.expires)}
    release = release_at(log, number, reader, checkpoint, **verified)
    release.notes = last.unknown
    return VerifiedRelease(release, note, checkpoint, last)


def _check_follows(reader: LogReader, before: Checkpoint) -> None:
    try:
        reader.check_follows(before)
    except VerificationFailed as error:
        raise NotAsSeen(
            f"the log is not consistent with the checkpoint of {before.size} leaves that was seen before: {error}",
            "a fork, or damaged tiles: get the log again",
        ) from error


def verify_past_release(log: LogFolder, number: int | None, trust: Trust, *, now: int) -> PublishedRelease:
    """Verify a release of any age: signed and cosigned, not necessarily fresh. Raises as `verify_release`."""
    trust.check_expiry(now)
    checkpoint, _ = trust.open_checkpoint(read_checkpoint(log))
    reader = LogReader(log, checkpoint)
    last = check_last_release(log, reader, checkpoint, trust_version=trust.version, now=now)
    release = release_at(log, number, reader, checkpoint, trust_version=trust.version)
    release.notes = last.unknown
    return release


def unverified_release(log: LogFolder, number: int | None) -> PublishedRelease:
    """A release at an unverified checkpoint, which anybody who can write to the log may have made.

    Raises as `release_at`.
    """
    checkpoint = Checkpoint.parse(read_checkpoint(log).text)
    return release_at(log, number, LogReader(log, checkpoint), checkpoint)
