"""The list of revocations of a release: the rows that its log revokes, deprecates or restores, in log order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from catalog.errors import VerificationFailed
from catalog.fast.beneath import Files
from catalog.fast.published import PublishedRelease
from catalog.files import inputs
from catalog.log.log_reader import read_release_record
from catalog.log.records import RevokeRecord, Severity
from catalog.log.revocation_text import check_revocation
from catalog.wire import Wire, decode_json

MAX_REVOCATIONS = 8 << 20
"""Bytes: the largest list of revocations that is read."""


class Revocation(Wire, frozen=True):
    """An entry of the list.

    selector: as in RevokeRecord.
    severity: what becomes of the selected rows and endorsed digests.
    reason: one line for people.
    """

    selector: dict[str, str | int | None]
    severity: Severity
    reason: str

    @property
    def selector_text(self) -> str:
        """The selector as text for people."""
        return self.record.selector_text

    @property
    def record(self) -> RevokeRecord:
        """The revoke record that the entry was made from."""
        return RevokeRecord(type="revoke", selector=self.selector, severity=self.severity, reason=self.reason)


def parse_revocations(data: bytes) -> Sequence[Revocation]:
    """Parse the list of a release. Raises MalformedRecord, also for an entry that `ldcat revoke` cannot write."""
    return checked(decode_json(data, list[Revocation], "revocations"))


def checked(entries: Sequence[Revocation]) -> Sequence[Revocation]:
    """The same list. Raises MalformedRecord for an entry that `ldcat revoke` cannot write."""
    for number, entry in enumerate(entries):
        check_revocation(entry.selector, entry.reason, f"revocation {number}")
    return entries


def read_revocations(release: PublishedRelease) -> Sequence[Revocation]:
    """The list of the last release of a log. Raises Unreadable, VerificationFailed, MalformedRecord."""
    return _read(release, release.last, release.revocations_sha256)


def revocations_at(release: PublishedRelease) -> Sequence[Revocation]:
    """The list of this release, which may not be the last. Raises as `read_revocations`, `read_release_record`."""
    return _read(release, release.number, read_release_record(release).revocations_sha256)


def _read(release: PublishedRelease, number: int, sha256: str) -> Sequence[Revocation]:
    name = release.revocations(number)
    if release.source:
        release.source.need(name, MAX_REVOCATIONS, sha256)
    data = inputs.read_file_beneath(Files(release.log), name, limit=MAX_REVOCATIONS)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise VerificationFailed(
            f"{release.log}/{name} is not the list that release {number} of {release.origin} names"
        )
    return parse_revocations(data)
