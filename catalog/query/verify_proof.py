"""Verify a proof bundle from files alone: a trust note, the time, and the last checkpoint that was seen.

The order is: form, signatures, policy, age, inclusion, and only then what the leaves say, read from the very bytes that
were hashed. Each answer is one of its own: unknown never looks like bad.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from catalog.errors import LdcatError, MalformedInput, Stale, UntrustedSigner, VerificationFailed
from catalog.query.proof_bundle import ProofBundle
from catalog.query.revocations import Revocation
from catalog.release.records import DigestRecord, ReleaseRecord, parse_record, parse_row
from catalog.release.revocations import Revocations
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note, Verified
from catalog.transparency.proof import TlogProof
from catalog.transparency.trust import Trust, open_trust


class Outcome(StrEnum):
    """What a bundle says of a digest."""

    MATCH = "match"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    STALE = "stale"
    OLDER = "older-than-seen"
    UNTRUSTED = "untrusted-signer"
    BAD = "bad-proof"

    @property
    def exit_code(self) -> int:
        """One of its own."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.MATCH: 0,
    Outcome.UNKNOWN: 1,
    Outcome.BAD: 4,
    Outcome.UNTRUSTED: 6,
    Outcome.REVOKED: 7,
    Outcome.STALE: 8,
    Outcome.OLDER: 9,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """why: one line. row, release: None where they were not verified. status: what revocations say of the row.

    newest: the note to remember as seen; None where nothing of it was verified, or it is not the newest. fresh_until:
    seconds since 1970; None where it is not fresh, or that was not asked.
    """

    outcome: Outcome
    why: str
    checkpoint: Checkpoint | None = None
    signers: tuple[Verified, ...] = ()
    row: DigestRecord | None = None
    release: ReleaseRecord | None = None
    status: Revocation | None = None
    newest: Note | None = None
    fresh_until: int | None = None


def verify_bundle(
    data: bytes, trust: Trust, *, now: int, seen: Mapping[str, Checkpoint], digest: str | None
) -> Verdict:
    """now: seconds since 1970. seen: by origin, the newest checkpoint that was verified here before.

    digest: in hex, which the bundle is asked about; None asks what it is of. Raises VerificationFailed for a trust note
    that has expired, and nothing for a bundle, whatever it is.
    """
    trust.check_expiry(now)
    try:
        bundle = ProofBundle.parse(data)
        note = bundle.row.checkpoint
        checkpoint, signers = trust.open_checkpoint(note)
    except UntrustedSigner as error:
        return Verdict(Outcome.UNTRUSTED, str(error))
    except LdcatError as error:
        return Verdict(Outcome.BAD, str(error))
    verdict = Verdict(Outcome.MATCH, "", checkpoint, tuple(signers))
    before = seen.get(checkpoint.origin, checkpoint)
    if checkpoint.size < before.size:
        return replace(verdict, outcome=Outcome.OLDER, why=f"a checkpoint of {before.size} leaves was seen before")
    if checkpoint.size == before.size and checkpoint.root != before.root:
        return replace(verdict, outcome=Outcome.BAD, why="another checkpoint of as many leaves was seen before: a fork")
    try:
        if trust.policy.quorum is not None:  # else the time of the release counts, which is read from its leaf
            trust.check_fresh(signers, None, now)
        row, release = _leaves(bundle, checkpoint)
        until = min(trust.check_fresh(signers, release.time, now), trust.expires)
    except Stale as error:
        return replace(verdict, outcome=Outcome.STALE, why=str(error))
    except LdcatError as error:
        return replace(verdict, outcome=Outcome.BAD, why=str(error))
    return _answer(replace(verdict, row=row, release=release, newest=note, fresh_until=until), bundle, digest)


def _leaves(bundle: ProofBundle, checkpoint: Checkpoint) -> tuple[DigestRecord, ReleaseRecord]:
    """What the two leaves say, once they are included; raises LdcatError."""
    row, status = _included(bundle.row, checkpoint), _included(bundle.status, checkpoint)
    if bundle.status.index != checkpoint.size - 1:
        raise VerificationFailed("the status of the bundle is not the last leaf of the checkpoint")
    release = parse_record(status)
    if not isinstance(release, ReleaseRecord):
        raise MalformedInput("the last leaf of the checkpoint is not the record of a release")
    if bundle.revocations_sha256 != release.revocations_sha256:
        raise VerificationFailed("the revocations of the bundle are not those of the release")
    return parse_row(row), release


def _included(proof: TlogProof, checkpoint: Checkpoint) -> bytes:
    leaf = proof.extra or b""
    hashed = merkle.leaf_hash(leaf)
    merkle.verify_inclusion(hashed, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return leaf


def _answer(verdict: Verdict, bundle: ProofBundle, digest: str | None) -> Verdict:
    row = verdict.row
    assert row is not None, "it was verified"  # noqa: S101
    if digest is not None and digest != row.launch_digest:
        return replace(verdict, outcome=Outcome.UNKNOWN, why="the proof is of another launch digest")
    status = Revocations(bundle.revocations).status(row)
    if status and status.severity == "revoked":
        return replace(verdict, outcome=Outcome.REVOKED, why=status.reason, status=status)
    why = "the log has this row" if status is None else f"the log has this row, which is deprecated: {status.reason}"
    return replace(verdict, why=why, status=status)


def read_trust(data: bytes) -> Trust:
    """The trust of a trust note that its own roots signed; raises MalformedInput, VerificationFailed."""
    return open_trust(Note.parse(data))


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """As JSON has it."""
    found = verdict.checkpoint
    return {
        "outcome": verdict.outcome.value,
        "why": verdict.why,
        "checkpoint": found and {"origin": found.origin, "size": found.size, "root": found.root.hex()},
        "signers": [{"name": signer.key.name, "timestamp": signer.timestamp} for signer in verdict.signers],
        "fresh_until": verdict.fresh_until,
        "release": verdict.release and verdict.release.release,
        "row": verdict.row and to_dict(verdict.row),
        "revocation": verdict.status and msgspec.to_builtins(verdict.status),
    }


def to_dict(record: DigestRecord) -> dict[str, Any]:
    """A record as JSON has it."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found
