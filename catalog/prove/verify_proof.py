"""Verify a proof bundle from files alone: a trust note, the time, and the last checkpoint that was seen.

The order is: format, signatures, policy, age, inclusion, and only then the contents of the leaves, parsed from the very
bytes that were hashed. Each outcome has its own exit code, and unknown never looks like bad; endorsed and inferred
share theirs, because no configuration is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec

from catalog.errors import (
    FalseRecord,
    LdcatError,
    MalformedInput,
    OlderThanSeen,
    Stale,
    UntrustedSigner,
    VerificationFailed,
)
from catalog.launch.technology import technologies
from catalog.log.records import ReleaseRecord, is_endorsed, parse_endorsed, parse_record, parse_row
from catalog.log.release_rules import Before, false_time, false_trust_version, what_to_do
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import Revocation, chain_revocations, check_goes_on
from catalog.log.revocations import Revocations
from catalog.log.seen import Seen
from catalog.notes import Note as ReaderNote
from catalog.prove.older_proof import accepted, newest_known
from catalog.prove.proof_bundle import ProofBundle
from catalog.rows.digest_record import DigestRecord, value_in
from catalog.rows.endorsed_record import REPORTED, EndorsedRecord
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note, Verified
from catalog.transparency.policy import Policy
from catalog.transparency.proof import InclusionProof
from catalog.transparency.trust import Trust


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


_OLDER = "get a newer proof, or accept one that was cosigned a short time ago: --accept-older 12h"


@dataclass(frozen=True, slots=True)
class Verdict:
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
    revocations: RevocationChain = field(default_factory=RevocationChain)
    listed: tuple[Revocation, ...] = ()
    notes: tuple[ReaderNote, ...] = ()
    hint: str | None = None

    @property
    def commits(self) -> bool:
        """Whether the release commits to its revocations."""
        return self.release is not None and RevocationChain.committed(self.release) is not None


def verify_bundle(
    data: bytes,
    trust: Trust,
    *,
    now: int,
    seen: Mapping[str, Seen],
    digest: str | None,
    accept_older: int | None = None,
) -> Verdict:
    """Verify a bundle. Raises VerificationFailed for an expired trust note, and nothing for any bundle.

    now: seconds since 1970.
    seen: what this machine verified of each log before, by origin.
    digest: in hex, the launch digest that the bundle should prove; None for whichever it proves.
    accept_older: accept a checkpoint that is older than the newest one seen if it was still cosigned at most so many
        seconds ago; then the newest list of revocations that was seen counts. None to refuse it.
    """
    trust.check_expiry(now)
    try:
        bundle = ProofBundle.parse(data)
        checkpoint, signers = trust.open_checkpoint(bundle.checkpoint)
    except UntrustedSigner as error:
        return Verdict(Outcome.UNTRUSTED, str(error), hint=error.hint)
    except LdcatError as error:
        return Verdict(Outcome.BAD, str(error), hint=error.hint)
    verdict = Verdict(Outcome.MATCH, "", checkpoint, tuple(signers), policy=trust.policy)
    before = seen.get(checkpoint.origin, Seen(checkpoint))
    size, root = before.checkpoint.size, before.checkpoint.root
    is_older = checkpoint.size < size
    if is_older and accept_older is None:
        why = f"a checkpoint of {size} leaves was seen before"
        return replace(verdict, outcome=Outcome.OLDER, why=why, hint=_OLDER)
    if checkpoint.size == size and checkpoint.root != root:
        return replace(
            verdict, outcome=Outcome.BAD, why="a different checkpoint of the same size was seen before: a fork"
        )
    try:
        if trust.policy.quorum is not None:  # otherwise the time in the release record counts, which is read later
            trust.check_fresh(signers, None, now)
        row, release = _leaves(bundle, checkpoint)
        notes = _check_status(bundle, release, checkpoint, trust, now)
        if notes and before.commits and not is_older:
            raise FalseRecord(f"release {release.release} commits to no revocations, and one seen before did")
        until = trust.check_fresh(signers, release.time, now)
        listed = bundle.revocations
        if is_older and accept_older is not None:
            listed = newest_known(bundle.revocations, before)
            notes += accepted(checkpoint, listed, before, age=now - (until - trust.max_age), at_most=accept_older)
        else:
            check_goes_on(bundle.revocations, before.revocations or RevocationChain())
    except Stale as error:
        return replace(verdict, outcome=Outcome.STALE, why=str(error), hint=error.hint)
    except OlderThanSeen as error:
        return replace(verdict, outcome=Outcome.OLDER, why=str(error), hint=error.hint)
    except LdcatError as error:
        outcome = Outcome.FALSE if isinstance(error, FalseRecord) else Outcome.BAD
        return replace(verdict, outcome=outcome, why=str(error), hint=error.hint)
    found = replace(
        verdict,
        row=row,
        release=release,
        newest=None if is_older else bundle.checkpoint,
        revocations=chain_revocations(bundle.revocations),
        listed=listed,
        fresh_until=min(until, trust.expires),
        notes=(*notes, *unknown_technology(row)),
    )
    return _answer(found, digest)


def _leaves(bundle: ProofBundle, checkpoint: Checkpoint) -> tuple[DigestRecord | EndorsedRecord, ReleaseRecord]:
    """The records in the two leaves, after their inclusion is verified. Raises VerificationFailed, MalformedInput."""
    row, status = _included(bundle.row, checkpoint), _included(bundle.status, checkpoint)
    if bundle.status.index != checkpoint.size - 1:
        raise VerificationFailed("the status of the bundle is not the last leaf of the checkpoint")
    release = parse_record(status)
    if not isinstance(release, ReleaseRecord):
        raise MalformedInput("the last leaf of the checkpoint is not a release record")
    if bundle.revocations_sha256 != release.revocations_sha256:
        raise VerificationFailed("the revocations of the bundle are not those of the release")
    return (parse_endorsed if is_endorsed(row) else parse_row)(row), release


def _check_status(
    bundle: ProofBundle, release: ReleaseRecord, checkpoint: Checkpoint, trust: Trust, now: int
) -> tuple[ReaderNote, ...]:
    """Check the release record and the list of revocations; return notes. Raises FalseRecord.

    The leaves before it are not in a bundle: docs/adr/0016 lists what is left to trust in the publisher.
    """
    before = Before(trust_version=trust.version)
    false = [why for why in (false_time(release, now), false_trust_version(release, before)) if why]
    if not 0 < release.release <= checkpoint.size or not 0 <= release.previous_size < checkpoint.size:
        false.append("its number or its previous_size exceeds the number of leaves")
    if false:
        raise FalseRecord(f"release {release.release} is false: {'; '.join(false)}", what_to_do(false))
    committed = RevocationChain.committed(release)
    if committed is None:
        text = f"release {release.release} does not commit to its revocations, like releases of ldcat 0.1.0"
        return (ReaderNote("revocations-not-committed", text),)
    if chain_revocations(bundle.revocations) != committed:
        raise FalseRecord(f"the revocations of release {release.release} differ from those that it commits to")
    return ()


def unknown_technology(row: DigestRecord | EndorsedRecord) -> Iterator[ReaderNote]:
    """A note if the row's technology is of a later version: the log has the row, but its meaning is unknown."""
    if row.technology not in technologies():
        text = f"this version of ldcat does not know technology {row.technology!r}: the row's fields are not checked"
        yield ReaderNote("technology-unknown", text)


def _included(proof: InclusionProof, checkpoint: Checkpoint) -> bytes:
    leaf = proof.extra or b""
    hashed = merkle.leaf_hash(leaf)
    merkle.verify_inclusion(hashed, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return leaf


def _answer(verdict: Verdict, digest: str | None) -> Verdict:
    row = verdict.row
    assert row is not None, "it was verified"  # noqa: S101
    if digest is not None and digest != row.launch_digest:
        return replace(verdict, outcome=Outcome.UNKNOWN, why="the proof is for another launch digest")
    status = Revocations(verdict.listed).status(row)
    if status and status.severity == "revoked":
        return replace(verdict, outcome=Outcome.REVOKED, why=status.reason, status=status)
    what, outcome = judged(row)
    why = f"the log has {what}" + (f", which is deprecated: {status.reason}" if status else "")
    return replace(verdict, outcome=outcome, why=why, status=status)


def judged(row: DigestRecord | EndorsedRecord) -> tuple[str, Outcome]:
    """What a record that is not revoked says of its digest."""
    if isinstance(row, EndorsedRecord):
        if row.endorser_scheme == REPORTED:
            return "a report of this digest, which nobody endorses", Outcome.UNKNOWN
        return "this endorsed digest without a known configuration", Outcome.ENDORSED
    if value_in(row, "base_digest") is not None:
        return "this row, which follows from another launch digest: its firmware is not known", Outcome.INFERRED
    return "this row", Outcome.MATCH


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
        "revocation": verdict.status and msgspec.to_builtins(verdict.status),
        "notes": [note.to_dict() for note in verdict.notes],
    }


def to_dict(record: DigestRecord | EndorsedRecord) -> dict[str, Any]:
    """The fields of a record, as in its leaf."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found
