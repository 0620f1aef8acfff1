"""The list of revocations of a release: what its log takes back of its rows, or advises against, in its order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from catalog.errors import FalseRecord, VerificationFailed
from catalog.fast.beneath import Files
from catalog.fast.published import PublishedRelease
from catalog.files import inputs
from catalog.log.log_reader import read_release_record
from catalog.log.records import RevokeRecord, Severity
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_text import check_said
from catalog.wire import Wire, decode_json

MAX_REVOCATIONS = 8 << 20
"""Bytes of a list of revocations."""


class Revocation(Wire, frozen=True):
    """An entry of a list. selector: fields of digest records; all rows that have these values."""

    selector: dict[str, str | int | None]
    severity: Severity
    reason: str

    @property
    def meant(self) -> str:
        """The selector as people read it."""
        return self.record.meant

    @property
    def record(self) -> RevokeRecord:
        """The leaf that it is of, as a record."""
        return RevokeRecord(type="revoke", selector=self.selector, severity=self.severity, reason=self.reason)


def parse_revocations(data: bytes) -> Sequence[Revocation]:
    """The list of a release; raises MalformedRecord, also for what no `ldcat revoke` has written."""
    return checked(decode_json(data, list[Revocation], "revocations"))


def checked(said: Sequence[Revocation]) -> Sequence[Revocation]:
    """The same; raises MalformedRecord for what no `ldcat revoke` has written."""
    for number, entry in enumerate(said):
        check_said(entry.selector, entry.reason, f"revocation {number}")
    return said


def chain_revocations(listed: Sequence[Revocation]) -> RevocationChain:
    """The hash chain over a list, as the release records of its log commit to it."""
    return RevocationChain.of(one.record for one in listed)


def check_goes_on(listed: Sequence[Revocation], before: RevocationChain) -> None:
    """Raises FalseRecord unless a list begins with the one that was seen before, which had that chain."""
    if len(listed) < before.count or chain_revocations(listed[: before.count]) != before:
        raise FalseRecord(
            f"{before.count} revocations of this log were seen before, and its list does not begin with them",
            "a revocation was taken back in silence: rely on nothing of this log until its publisher says why",
        )


def read_revocations(release: PublishedRelease) -> Sequence[Revocation]:
    """The list that the last release of a log names; raises Unreadable, VerificationFailed, MalformedRecord."""
    return _read(release, release.last, release.revocations_sha256)


def revocations_at(release: PublishedRelease) -> Sequence[Revocation]:
    """What the log said when a release was its last one; raises as `read_revocations`, and what reading a log does."""
    return _read(release, release.number, read_release_record(release).revocations_sha256)


def _read(release: PublishedRelease, number: int, sha256: str) -> Sequence[Revocation]:
    name = release.revocations(number)
    data = inputs.read_file_beneath(Files(release.log), name, limit=MAX_REVOCATIONS)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise VerificationFailed(
            f"{release.log}/{name} is not the list that release {number} of {release.origin} names"
        )
    return parse_revocations(data)
