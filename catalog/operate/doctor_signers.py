"""Findings about the signatures of a checkpoint: wrong or missing ones, by the trust note's policy, and freshness.

A verifier stops at the first wrong signature. Here each one is checked, and verification as a whole comes last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.errors import LdcatError, Stale
from catalog.operate.finding import Finding, error, is_healthy, note, warning
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.durations import span
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import Note, Signature, Verified
from catalog.transparency.trust import MAX_AHEAD, Trust
from catalog.transparency.witness import SMALL_REQUEST, AddCheckpoint

_ALL_KEYS = "publish with the file that has all keys of the log"
_NO_HEARTBEAT = "publish again, or add a heartbeat"


@dataclass(frozen=True, slots=True)
class Signatures:
    """The signatures of a note.

    right: known keys whose signature is valid.
    wrong: known keys, and what is wrong with their signature.
    unknown: signatures of other keys.
    """

    right: tuple[Verified, ...]
    wrong: tuple[tuple[VerifierKey, str], ...]
    unknown: tuple[Signature, ...]

    @classmethod
    def of(cls, signed: Note, keys: Sequence[VerifierKey]) -> Signatures:
        """Check each signature by itself. The second of two signatures by one key is always wrong."""
        known = {(key.name, key.key_id): key for key in keys}
        right: dict[VerifierKey, Verified] = {}
        wrong: list[tuple[VerifierKey, str]] = []
        unknown: list[Signature] = []
        for signature in signed.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                unknown.append(signature)
            elif key in right:
                wrong.append((key, f"{key.name} signed twice with one key"))
            else:
                try:
                    right[key] = Verified(key, key.verify(signed.text, signature.value))
                except LdcatError as failure:
                    wrong.append((key, str(failure)))
        return cls(tuple(right.values()), tuple(wrong), tuple(unknown))

    def wrong_findings(self) -> Iterator[Finding]:
        """Yield an error for each wrong signature of a known key: verifiers refuse the whole note for it."""
        for key, why in self.wrong:
            yield error(named(key), why, "remove the line, or sign again: verifiers refuse the whole note for it")


def named(key: VerifierKey) -> str:
    """The name of a key with its algorithm, to tell keys of the same name apart."""
    return f"{key.name} ({key.type.title})"


def policy_keys(trust: Trust) -> list[VerifierKey]:
    """The keys of logs and witnesses of the policy, without duplicates."""
    return list(dict.fromkeys((*trust.policy.logs, *trust.policy.witnesses.values())))


def signer_findings(signed: Note, checkpoint: Checkpoint, trust: Trust) -> Iterator[Finding]:
    """Yield what is wrong or missing among the signatures of a checkpoint."""
    signatures = Signatures.of(signed, policy_keys(trust))
    keys = [verified.key for verified in signatures.right]
    found = [
        *signatures.wrong_findings(),
        *_log_findings(checkpoint, trust, keys),
        *_witness_findings(trust, [vote.key for vote in trust.policy.votes(signatures.right)]),
    ]
    try:
        trust.open_checkpoint(signed)
    except LdcatError as failure:
        if is_healthy(found):
            found.append(error("checkpoint", str(failure), "verifiers refuse it"))
    yield from found
    for signature in signatures.unknown:
        yield note(
            f"{signature.name} (key {signature.key_id.hex()})",
            "signed the checkpoint, and is not a key of the policy",
            "nothing, or name it in the next trust note",
        )


def request_findings(signed: Note, checkpoint: Checkpoint, trust: Trust) -> Iterator[Finding]:
    """Yield a warning if a request to the witnesses of the policy is larger than what some witnesses read."""
    most = len(bytes(AddCheckpoint.largest(signed, checkpoint)))
    if trust.policy.witness_urls and most > SMALL_REQUEST:
        what = (
            f"a request to a witness has up to {most:,} bytes, and some witnesses read no more than {SMALL_REQUEST:,}"
        )
        yield warning("checkpoint", what, "sign with fewer keys: each ML-DSA-44 signature has 3.3 kB")


def freshness_findings(signers: Sequence[Verified], made: int | None, trust: Trust, now: int) -> Iterator[Finding]:
    """Yield findings about times and freshness.

    made: the time in the last release record; None if it cannot be read.
    now: seconds since 1970.
    """
    policy = trust.policy
    votes = policy.votes(signers)
    yield from _time_findings(signers, votes, trust, now)
    if (not votes and made is None) or not policy.accepts([vote.key for vote in votes]):
        return  # there is a finding already
    advice = "ldcat witness ask, and ldcat cosign --heartbeat with your own keys in the quorum, every day"
    if policy.quorum is None:
        advice = "ldcat cosign --heartbeat renews it; run it every day" if policy.renewed_by else _NO_HEARTBEAT
    try:
        left = trust.fresh_until(signers, made, now) - now
    except Stale as failure:
        yield error("freshness", str(failure), "set the clocks, sign again")
        return
    if left < 0:
        yield error("freshness", f"the checkpoint became stale {span(left)} ago", advice)
    elif left < trust.max_age // 4:
        whole = f"{span(left)} of the {span(trust.max_age)} of max-age are left"
        yield warning("freshness", f"{whole}: it was not cosigned again", advice)


def _time_findings(signers: Sequence[Verified], votes: Sequence[Verified], trust: Trust, now: int) -> Iterator[Finding]:
    """Yield a finding for each cosigner whose time does not count."""
    policy = trust.policy
    members = {policy.witnesses[name] for name in policy.quorum_members() if name in policy.witnesses}
    for by in signers:
        age = now - (by.timestamp or 0)
        if by.timestamp == 0:
            yield note(
                named(by.key), "cosigned without a time: that is not a vote", "ask it for a cosignature with one"
            )
        elif by not in votes:
            continue  # the log's own, whose time does not count
        elif age < -MAX_AHEAD:
            yield error(named(by.key), f"its time is {span(age)} ahead, and is ignored", "set the clocks, sign again")
        elif policy.quorum is not None and by.key not in members:
            yield note(
                named(by.key),
                "cosigned, but is not a member of the quorum: its time keeps nothing fresh",
                "nothing, or make it a member in the next trust note",
            )
        elif age > trust.max_age:
            yield note(named(by.key), f"signed {span(age)} ago, before max-age", "freshness depends on the others")


def _log_findings(checkpoint: Checkpoint, trust: Trust, signers: Sequence[VerifierKey]) -> Iterator[Finding]:
    own = [key for key in trust.policy.logs if key.name == checkpoint.origin]
    missing = [key for key in own if key not in signers]
    if not own:
        yield error(
            checkpoint.origin, "the policy of the trust note names no log of this name", "name its keys in the next one"
        )
    elif len(missing) == len(own):
        yield error(checkpoint.origin, "no key of the log that the policy names signed this", "publish with its keys")
    else:
        for key in missing:
            if trust.all_log_signatures:
                yield error(named(key), "did not sign, and the trust note demands all signatures of the log", _ALL_KEYS)
                continue
            yield warning(
                named(key),
                "did not sign, though another key of the log did: clients that know only this key refuse it",
                _ALL_KEYS,
            )


def _witness_findings(trust: Trust, signers: Sequence[VerifierKey]) -> Iterator[Finding]:
    policy = trust.policy
    satisfied, members = policy.satisfied(signers), policy.quorum_members()
    reached = policy.accepts(signers)
    for name, key in policy.witnesses.items():
        if name not in satisfied:
            say = warning if name in members else note
            why = "" if name in members else ", and the quorum does not need it"
            how = "ldcat cosign --heartbeat, by whoever has its key"
            if name in policy.witness_urls:
                how = "ldcat witness ask gets its cosignature"
            yield say(f"witness {name}", f"has not cosigned with {named(key)}{why}", how)
    for name, group in policy.groups.items():
        if name not in satisfied:
            missing = [member for member in group.members if member not in satisfied]
            there = sum(not satisfied.isdisjoint(voice) for voice in group.voices)
            say = error if name in members and not reached else warning if name in members else note
            yield say(
                f"group {name}",
                f"{there} of its {len(group.voices)} members cosigned, and {group.threshold} have to",
                f"cosignatures to get: {group.threshold - there} of {', '.join(missing)}",
            )
    if not reached:
        yield error(
            f"quorum {policy.quorum}",
            "is not reached: clients with this trust note refuse the checkpoint",
            "get the missing cosignatures",
        )
