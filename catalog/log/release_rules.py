"""Rules of a release record: what follows from the leaves before it is recomputed and compared.

A record is signed by its publisher and can say anything. Number, revocations, size and root of the previous checkpoint
follow exactly from the leaves; time and trust version do not, and have bounds. A value out of bounds is ignored
afterwards, so that an honest publisher can always continue, whatever was signed with a stolen key (docs/adr/0016).
"""

from __future__ import annotations

from catalog.files.plain_json import canonical_json
from catalog.log.revocation_chain import RevocationChain
from catalog.transparency.durations import span
from catalog.transparency.light_sha256 import sha256
from catalog.transparency.merkle import EMPTY_ROOT
from catalog.transparency.trust import MAX_AHEAD
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from catalog.log.records import ReleaseRecord, RevokeRecord

EARLIEST = 1_577_836_800
"""Seconds since 1970: 1 January 2020. No release can be older than ldcat."""

MAX_TRUST_STEP = 64
"""Versions: how far a trust note may be ahead of the previous one; more than anybody makes between two releases."""


class Before(Value):
    """The state of a log before a release.

    size, root: of its checkpoint.
    number: highest release number, among those that are possible.
    time: of the last release, in seconds since 1970.
    trust_version: what that of the next release is compared with; 0 if none was named.
    commits: whether a release committed to its revocations.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT
    number: int = 0
    time: int = 0
    trust_version: int = 0
    commits: bool = False

    def after(self, record: ReleaseRecord, size: int, root: bytes) -> Before:
        """The state after a release. size, root: of the checkpoint whose last leaf is the record."""
        named = None if false_trust_version(record, self) else record.trust_version
        return Before(
            size,
            root,
            max(self.number, record.release) if record.release <= size else self.number,  # no release without a leaf
            record.time,
            self.trust_version if named is None else named,
            self.commits or RevocationChain.committed(record) is not None,
        )


_AHEAD = "ahead of the clock here"
_ASK = "ask its publisher why it was signed; ldcat audit lists everything that is wrong"


def what_to_do(false: Sequence[str] = ()) -> str:
    """The hint if a record is false. false: what is wrong; if that is its time, the clock here may be."""
    is_ahead = any(why.endswith(_AHEAD) for why in false)
    return f"check the clock of this machine, see: date -u; if it is right, {_ASK}" if is_ahead else _ASK


def false_claims(record: ReleaseRecord, before: Before, revokes: RevocationChain, now: int) -> Iterator[str]:
    """Yield a line for each field that differs from what the leaves say, or is out of bounds.

    revokes: the chain over all revoke records before it. now: seconds since 1970.
    """
    if record.release != before.number + 1:
        yield f"its number is {record.release}, and should be {before.number + 1}"
    if record.previous_size != before.size:
        yield f"its previous_size is {record.previous_size}, and the previous checkpoint has {before.size} leaves"
    elif record.previous_root != before.root.hex():
        yield "its previous_root is not the root of the previous checkpoint"
    committed = RevocationChain.committed(record)
    if committed is None and before.commits:
        yield "it does not commit to its revocations, and an earlier release does"
    if committed is not None and committed != revokes:
        same = " different ones" if committed.count == revokes.count else f" {revokes.count}"
        yield f"it commits to {committed.count} revocations, and the log has{same}"
    for why in (false_time(record, now), false_trust_version(record, before)):
        if why:
            yield why


def false_list(record: ReleaseRecord, revokes: Iterable[RevokeRecord]) -> str | None:
    """Why revocations_sha256 is wrong; None if it is right. revokes: all revoke records before it."""
    if sha256(revocations_json(revokes)).hexdigest() == record.revocations_sha256:
        return None
    return "its revocations_sha256 is not the hash of the revocations in the log"


def false_time(record: ReleaseRecord, now: int) -> str | None:
    """Why a time is impossible, given the clock; None if it is possible. One that goes back is: see `steps_back`."""
    if record.time > now + MAX_AHEAD:
        return f"its time is {span(record.time - now)} {_AHEAD}"
    if record.time < EARLIEST:
        return f"its time is {record.time}, before the first release of ldcat"
    return None


def false_trust_version(record: ReleaseRecord, before: Before) -> str | None:
    """Why a trust version is impossible; None if it is possible."""
    if (record.trust_version or 0) <= before.trust_version + MAX_TRUST_STEP:
        return None
    return f"its trust version is {record.trust_version}, and the previous one is {before.trust_version}"


def steps_back(record: ReleaseRecord, before: Before) -> Iterator[str]:
    """Yield what is odd and may be right: a time or trust version that goes back, e.g. after a false one."""
    if EARLIEST <= record.time < before.time:
        yield f"its time is {record.time}, and that of the previous release {before.time}"
    if (record.trust_version or 0) < before.trust_version:
        yield f"its trust version is {record.trust_version}, and that of the previous release {before.trust_version}"


def revocations_json(revokes: Iterable[RevokeRecord]) -> bytes:
    """The file revocations.json of a release: selector, severity and reason of each record, in log order."""
    listed = [{"selector": r.selector, "severity": r.severity, "reason": r.reason} for r in revokes]
    return canonical_json(listed)
