"""What a release record says that follows from the leaves before it, recomputed and compared.

A record is signed by its publisher and can say anything. Number, revocations, size and root of the checkpoint before
follow from the leaves exactly; time and trust version do not, and have bounds. What is out of its bounds counts for
nothing afterwards, so that an honest publisher can always go on, whatever was signed with a stolen key (docs/adr/0016).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.log.records import ReleaseRecord, RevokeRecord, canonical_json
from catalog.log.revocation_chain import RevocationChain
from catalog.transparency.merkle import EMPTY_ROOT
from catalog.transparency.trust import MAX_AHEAD

EARLIEST = 1_577_836_800
"""1 January 2020, in seconds since 1970: no release is older than ldcat."""

MAX_TRUST_STEP = 64
"""Versions by which a trust note may be ahead of the one before: more than anybody makes between two releases."""


@dataclass(frozen=True, slots=True)
class Before:
    """The log before a release. size, root: of its checkpoint. number: the highest of its releases that can be.

    time: of the last release. trust_version: what the next one is compared with. commits: whether a release committed
    to its revocations.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT
    number: int = 0
    time: int = 0
    trust_version: int = 0
    commits: bool = False

    def after(self, record: ReleaseRecord, size: int, root: bytes) -> Before:
        """The log after a release. size, root: of the checkpoint that the record ends."""
        named = None if false_trust_version(record, self) else record.trust_version
        return Before(
            size,
            root,
            max(self.number, record.release) if record.release <= size else self.number,  # no release without a leaf
            record.time,
            self.trust_version if named is None else named,
            self.commits or RevocationChain.committed(record) is not None,
        )


def false_claims(record: ReleaseRecord, before: Before, revokes: RevocationChain, now: int) -> Iterator[str]:
    """A line for each field that is not what follows, or is out of its bounds.

    revokes: of all revoke records before it. now: seconds since 1970.
    """
    if record.release != before.number + 1:
        yield f"its number is {record.release}, and {before.number + 1} is the next one"
    if record.previous_size != before.size:
        yield f"its previous_size is {record.previous_size}, and the checkpoint before has {before.size} leaves"
    elif record.previous_root != before.root.hex():
        yield "its previous_root is not the root of the checkpoint before"
    committed = RevocationChain.committed(record)
    if committed is None and before.commits:
        yield "it does not commit to its revocations, and a release before it does"
    if committed is not None and committed != revokes:
        same = " others" if committed.count == revokes.count else f" {revokes.count}"
        yield f"it commits to {committed.count} revocations, and the log has{same}"
    for why in (false_time(record, now), false_trust_version(record, before)):
        if why:
            yield why


def false_list(record: ReleaseRecord, revokes: Iterable[RevokeRecord]) -> str | None:
    """What is wrong with revocations_sha256. revokes: all revoke records before it."""
    if hashlib.sha256(revocations_json(revokes)).hexdigest() == record.revocations_sha256:
        return None
    return "its revocations_sha256 is not of the revocations that are in the log"


def false_time(record: ReleaseRecord, now: int) -> str | None:
    """Why a time cannot be, at a clock that says `now`. A time that goes back can be: see `steps_back`."""
    if record.time > now + MAX_AHEAD:
        return f"its time is {record.time - now} seconds ahead of the clock here"
    if record.time < EARLIEST:
        return f"its time is {record.time}, before there was any release"
    return None


def false_trust_version(record: ReleaseRecord, before: Before) -> str | None:
    """Why nobody made that many versions of a trust note."""
    if (record.trust_version or 0) <= before.trust_version + MAX_TRUST_STEP:
        return None
    return f"its trust version is {record.trust_version}, and the one before is {before.trust_version}"


def steps_back(record: ReleaseRecord, before: Before) -> Iterator[str]:
    """What is odd and may be right: a time or a trust version that goes back, as after one that was false."""
    if EARLIEST <= record.time < before.time:
        yield f"its time is {record.time}, and that of the release before was {before.time}"
    if (record.trust_version or 0) < before.trust_version:
        yield f"its trust version is {record.trust_version}, and that of the release before was {before.trust_version}"


def revocations_json(revokes: Iterable[RevokeRecord]) -> bytes:
    """revocations.json of a release: selector, severity and reason of each record, in the order of the log."""
    listed = [{"selector": r.selector, "severity": r.severity, "reason": r.reason} for r in revokes]
    return canonical_json(listed)
