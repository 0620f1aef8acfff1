"""Verdict: what was found of a proof, and its JSON."""

from __future__ import annotations

from catalog.log.revocation_chain import RevocationChain
from catalog.rows.plain_row import PlainRow
from catalog.values import StrEnum, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from catalog.log.records import ReleaseRecord
    from catalog.log.revocation_list import Revocation
    from catalog.notes import Note as ReaderNote
    from catalog.rows.digest_record import DigestRecord
    from catalog.rows.endorsed_record import EndorsedRecord
    from catalog.transparency.checkpoint import Checkpoint
    from catalog.transparency.note import Note, Verified
    from catalog.transparency.policy import Policy


class Outcome(StrEnum):
    """The result of verifying a bundle for a digest (docs/log.md)."""

    MATCH = "match"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    STALE = "stale"
    OLDER = "older-than-seen"
    UNTRUSTED = "untrusted-signer"
    BAD = "bad-proof"
    FALSE = "false-record"
    ENDORSED = "endorsed"
    INFERRED = "inferred"
    INCLUDED = "included"

    @property
    def exit_code(self) -> int:
        """The process exit code for this outcome (see errors.py)."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.MATCH: 0,
    Outcome.UNKNOWN: 1,
    Outcome.BAD: 4,
    Outcome.UNTRUSTED: 6,
    Outcome.REVOKED: 7,
    Outcome.STALE: 8,
    Outcome.OLDER: 9,
    Outcome.FALSE: 11,
    Outcome.ENDORSED: 10,
    Outcome.INFERRED: 10,
    Outcome.INCLUDED: 15,
}


class Verdict(Value):
    """The outcome for a bundle, and what was verified.

    outcome: the result.
    why: one line that explains it.
    checkpoint: of the bundle; None if its signatures were not verified.
    signers: keys whose signatures were verified.
    row: the digest record, or the endorsed digest; None if it was not verified.
    release: the release record; None if it was not verified.
    status: the revocation that revokes or deprecates the row; None if there is none.
    newest: the note to remember as seen; None if not everything was verified, or if a newer one was seen.
    fresh_until: seconds since 1970; None if it is not fresh, or was not checked.
    policy: the policy that decides which signers are votes.
    revocations: the hash chain over the revocations.
    listed: the revocations that were applied: those of the bundle, or later ones if it is older than what was seen.
    notes: notes for the user.
    hint: what to do if the bundle was not verified; None if there is nothing to say.
    """

    outcome: Outcome
    why: str
    checkpoint: Checkpoint | None = None
    signers: tuple[Verified, ...] = ()
    row: DigestRecord | EndorsedRecord | None = None
    release: ReleaseRecord | None = None
    status: Revocation | None = None
    newest: Note | None = None
    fresh_until: int | None = None
    policy: Policy | None = None
    revocations: RevocationChain = RevocationChain()
    listed: tuple[Revocation, ...] = ()
    notes: tuple[ReaderNote, ...] = ()
    hint: str | None = None

    @property
    def commits(self) -> bool:
        """Whether the release commits to its revocations."""
        return self.release is not None and RevocationChain.committed(self.release) is not None


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """The JSON of `ldcat verify-proof --format json` (docs/command-line.md)."""
    found, policy = verdict.checkpoint, verdict.policy
    votes = policy.votes(verdict.signers) if policy else []
    return {
        "outcome": verdict.outcome.value,
        "why": verdict.why,
        "checkpoint": found and found.to_dict(),
        "signers": [
            {
                "name": signer.key.name,
                "algorithm": signer.key.type.title,
                "timestamp": signer.timestamp,
                "votes": signer in votes,
            }
            for signer in verdict.signers
        ],
        "quorum": policy and policy.quorum,
        "fresh_until": verdict.fresh_until,
        "release": verdict.release and verdict.release.release,
        "row": verdict.row and to_dict(verdict.row),
        "revocation": verdict.status and to_dict(verdict.status),
        "notes": [note.to_dict() for note in verdict.notes],
    }


def to_dict(record: DigestRecord | EndorsedRecord | Revocation) -> dict[str, Any]:
    """The fields of a record, as in its leaf."""
    if isinstance(record, PlainRow):
        return record.to_dict()
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(record)
    return found
