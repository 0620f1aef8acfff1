"""Verify a proof bundle from files alone: a trust note, the time, and the last checkpoint that was seen.

The order is: form, signatures, policy, age, inclusion, and only then what the leaves say, read from the very bytes that
were hashed. Each answer is one of its own: unknown never looks like bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from catalog.errors import LdcatError, MalformedInput, UntrustedSigner, VerificationFailed
from catalog.query.proof_bundle import ProofBundle, Revocation
from catalog.release.records import DigestRecord, ReleaseRecord, parse_record, parse_row
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

    newest: the note to remember as seen; None where nothing of it was verified, or it is not the newest.
    """

    outcome: Outcome
    why: str
    checkpoint: Checkpoint | None = None
    signers: tuple[Verified, ...] = ()
    row: DigestRecord | None = None
    release: ReleaseRecord | None = None
    status: Revocation | None = None
    newest: Note | None = None


def verify_bundle(data: bytes, trust: Trust, *, now: int, seen: Checkpoint | None, digest: str | None) -> Verdict:
    """now: seconds since 1970. seen: the newest checkpoint of this log that was verified here before.

    digest: in hex, which the bundle is asked about; None asks what it is of. Raises VerificationFailed for a trust note
    that has expired, and nothing for a bundle, whatever it is.
    """
    if now >= trust.expires:
        raise VerificationFailed("the trust note has expired", "get the next version from whom you got it")
    try:
        bundle = ProofBundle.parse(data)
        note = bundle.row.checkpoint
        checkpoint = Checkpoint.parse(note.text)
        signers = note.verify([*trust.policy.logs, *trust.policy.witnesses.values()])
    except UntrustedSigner as error:
        return Verdict(Outcome.UNTRUSTED, str(error))
    except LdcatError as error:
        return Verdict(Outcome.BAD, str(error))
    if why := _untrusted(checkpoint, signers, trust):
        return Verdict(Outcome.UNTRUSTED, why)
    verdict = Verdict(Outcome.MATCH, "", checkpoint, tuple(signers))
    if seen and seen.origin == checkpoint.origin and checkpoint.size < seen.size:
        return replace(verdict, outcome=Outcome.OLDER, why=f"a checkpoint of {seen.size} leaves was seen before")
    if seen and seen.size == checkpoint.size and seen.root != checkpoint.root:
        return replace(verdict, outcome=Outcome.BAD, why="another checkpoint of as many leaves was seen before: a fork")
    times = [signer.timestamp for signer in signers if signer.timestamp is not None]
    if times and (why := _stale(max(times), trust, now)):
        return replace(verdict, outcome=Outcome.STALE, why=why)
    try:
        row, release = _leaves(bundle, checkpoint)
    except LdcatError as error:
        return replace(verdict, outcome=Outcome.BAD, why=str(error))
    if not times and (why := _stale(release.time, trust, now)):
        return replace(verdict, outcome=Outcome.STALE, why=why)
    return _answer(replace(verdict, row=row, release=release, newest=note), bundle, digest)


def _untrusted(checkpoint: Checkpoint, signers: Sequence[Verified], trust: Trust) -> str | None:
    keys = [signer.key for signer in signers]
    if not any(key in trust.policy.logs and key.name == checkpoint.origin for key in keys):
        return f"no trusted log of the name {checkpoint.origin} signed this checkpoint"
    if not trust.policy.accepts(keys):
        return "the witnesses that cosigned this checkpoint are not the quorum"
    return None


def _stale(made: int, trust: Trust, now: int) -> str | None:
    if now - made > trust.max_age:
        return f"the checkpoint was signed {now - made} seconds ago, and is trusted for {trust.max_age}"
    return None


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
    fields = to_dict(row)
    status = None
    for entry in bundle.revocations:  # the newest that selects counts
        if all(fields.get(name) == value for name, value in entry.selector.items()):
            status = None if entry.severity == "restored" else entry
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
        "release": verdict.release and verdict.release.release,
        "row": verdict.row and to_dict(verdict.row),
        "revocation": verdict.status and msgspec.to_builtins(verdict.status),
    }


def to_dict(record: DigestRecord) -> dict[str, Any]:
    """A record as JSON has it."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found
