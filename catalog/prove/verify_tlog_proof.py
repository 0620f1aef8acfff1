"""Verify a bare tlog-proof of a row: that the log has it, and no more.

A proof bundle also has the release record and the list of revocations. Without them nobody knows whether the row is
revoked. So the answer is never a match: whoever hands over a proof could otherwise leave out what revokes it.
"""

from __future__ import annotations

from catalog.errors import LdcatError, MalformedInput, Stale, UntrustedSigner
from catalog.log.seen import Seen
from catalog.notes import Note as ReaderNote
from catalog.prove.verdict import Outcome, Verdict
from catalog.prove.verify_proof import judged, status_of, unknown_technology
from catalog.transparency import merkle
from catalog.transparency.proof import HEADER, TlogProof
from catalog.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.transparency.trust import Trust


def is_tlog_proof(data: bytes) -> bool:
    """Whether data begins like a tlog-proof, and not like a bundle."""
    return data.startswith(HEADER.encode())


def verify_tlog_proof(
    data: bytes, trust: Trust, *, now: int, seen: Mapping[str, Seen], digest: str | None, leaf: bytes | None = None
) -> Verdict:
    """Verify a tlog-proof. Raises VerificationFailed for an expired trust note, and nothing for any proof.

    The order is: format, signatures, policy, age, inclusion, and only then the contents of the leaf.

    now, seen, digest: as for `verify_bundle`; revocations that were seen apply. A release record, which may count for
        the age, is not in the proof.
    leaf: the leaf as it was hashed; None if it is the extra data of the proof.
    """
    trust.check_expiry(now)
    try:
        proof = TlogProof.parse(data)
        found = proof.inclusion.extra if leaf is None else leaf
        if found is None:
            raise MalformedInput("the proof has no extra data, so its leaf has to be given")
        checkpoint, signers = trust.open_checkpoint(proof.checkpoint)
    except UntrustedSigner as error:
        return Verdict(Outcome.UNTRUSTED, str(error), hint=error.hint)
    except LdcatError as error:
        return Verdict(Outcome.BAD, str(error), hint=error.hint)
    verdict = Verdict(Outcome.INCLUDED, "", checkpoint, tuple(signers), policy=trust.policy)
    known = seen.get(checkpoint.origin, Seen(checkpoint))
    before = known.checkpoint
    if checkpoint.size < before.size:
        return replace(verdict, outcome=Outcome.OLDER, why=f"a checkpoint of {before.size} leaves was seen before")
    if checkpoint.size == before.size and checkpoint.root != before.root:
        why = "a different checkpoint of the same size was seen before: a fork"
        return replace(verdict, outcome=Outcome.BAD, why=why)
    if trust.policy.quorum is None and not trust.policy.votes(signers):
        hint = "ask for a proof bundle; or for one after: ldcat cosign --heartbeat"
        return replace(verdict, outcome=Outcome.STALE, why="nothing in the proof says when it was made", hint=hint)
    try:
        until = min(trust.check_fresh(signers, None, now), trust.expires)
        hashed, inclusion = merkle.leaf_hash(found), proof.inclusion
        merkle.verify_inclusion(hashed, inclusion.index, checkpoint.size, inclusion.hashes, checkpoint.root)
        from catalog.prove.bundle_forms import parse_proven

        row = parse_proven(found)
    except Stale as error:
        return replace(verdict, outcome=Outcome.STALE, why=str(error), hint=error.hint)
    except LdcatError as error:
        return replace(verdict, outcome=Outcome.BAD, why=str(error), hint=error.hint)
    what, outcome = judged(row)
    text = (
        "a bare tlog-proof does not show whether the row is revoked, nor which release has it: ask for a proof bundle"
    )
    verdict = replace(
        verdict,
        why=f"the log has {what}; whether it is revoked is not known",
        row=row,
        fresh_until=until,
        notes=(ReaderNote("revocations-not-shown", text), *unknown_technology(row)),
    )
    if digest is not None and digest != row.launch_digest:
        return replace(verdict, outcome=Outcome.UNKNOWN, why="the proof is for another launch digest")
    status = status_of(row, known.listed or ())
    if status and status.severity == "revoked":
        return replace(verdict, outcome=Outcome.REVOKED, why=status.reason, status=status)
    return replace(verdict, outcome=Outcome.UNKNOWN, status=status) if outcome is Outcome.UNKNOWN else verdict
