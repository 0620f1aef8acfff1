"""Verification of a bundle: each check has a log that only this check fails, and each answer is complete."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from catalog.errors import VerificationFailed
from catalog.log.records import ReleaseRecord, RevokeRecord, Severity, encode_leaf
from catalog.log.release_rules import EARLIEST, MAX_TRUST_STEP, revocations_json
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import Revocation
from catalog.log.seen import Seen
from catalog.prove import verify_proof as module
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.verdict import Outcome, Verdict, to_dict, verdict_to_dict
from catalog.prove.verify_proof import row_notes, verify_bundle
from catalog.rows.digest_record import DigestRecord
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType
from catalog.transparency.proof import InclusionProof
from catalog.transparency.trust import MAX_AHEAD, Trust, read_trust
from catalog.values import replace
from tests.support.logs import DAY, LOG, NOW, ORIGIN, MemoryLog, signed, signer
from tests.support.trust_notes import ROOT, trust_of

WITNESS = signer("w.example", SignatureType.COSIGNATURE_ED25519)
OTHER_WITNESS = signer("v.example", SignatureType.COSIGNATURE_ED25519)
EXPIRES = NOW + 300 * DAY
ROWS = [
    DigestRecord(
        type="digest",
        launch_digest=f"{number:02x}" * 48,
        technology="sev-snp",
        firmware_sha256="aa" * 32,
        kernel_hashes_sha256=None,
        vmm="qemu",
        vcpus=number,
        vcpu_signature="0x00a00f11",
        sev_features="0x1",
    )
    for number in (1, 2, 3)
]


def trust(quorum: bool = False, *, version: int = 5, expires: int = EXPIRES) -> Trust:
    policy = f"log {LOG.key}\nwitness w {WITNESS.key}\nwitness v {OTHER_WITNESS.key}\n"
    policy += "group all all w\nquorum all\n" if quorum else "quorum none\n"
    return trust_of(policy, version=version, expires=expires)


def revoke(severity: Severity, reason: str, **selector: Any) -> RevokeRecord:
    return RevokeRecord(type="revoke", selector=selector, severity=severity, reason=reason)


REVOKES = (revoke("revoked", "is bad", vcpus=2), revoke("deprecated", "is old", vcpus=3))


def made(
    revokes: Sequence[RevokeRecord] = REVOKES,
    *,
    row: int = 0,
    signers: Sequence[Any] = (LOG,),
    at: int = NOW,
    behind: Sequence[bytes] = (),
    listed: Sequence[RevokeRecord] | None = None,
    **record: Any,
) -> ProofBundle:
    """A bundle of a log whose last release record is correct except for `record`. behind: leaves after it."""
    before = [*map(encode_leaf, ROWS), *map(encode_leaf, revokes)]
    chain = RevocationChain.of(revokes)
    listed = revokes if listed is None else listed
    right: dict[str, Any] = {
        "type": "release",
        "release": 1,
        "time": NOW,
        "artifacts": {"manifest.json": "bb" * 32},
        "revocations_sha256": hashlib.sha256(revocations_json(listed)).hexdigest(),
        "previous_size": 0,
        "previous_root": merkle.EMPTY_ROOT.hex(),
        "trust_version": 5,
        "revocations_count": chain.count,
        "revocations_chain": chain.value,
    }
    log = MemoryLog()
    leaves = [*before, encode_leaf(ReleaseRecord(**right | record)), *behind]
    log.append(leaves)
    note = signed(str(log.checkpoint(ORIGIN)), *signers, now=at)
    entries = tuple(Revocation(selector=r.selector, severity=r.severity, reason=r.reason) for r in listed)
    return ProofBundle(note, proof(log, row, leaves), proof(log, len(leaves) - 1, leaves), entries)


def proof(log: MemoryLog, index: int, leaves: Sequence[bytes]) -> InclusionProof:
    return InclusionProof(index, tuple(merkle.inclusion_proof(index, log.size, log.reader.node)), leaves[index])


def ask(bundle: ProofBundle, by: Trust | None = None, **changes: Any) -> Verdict:
    options: dict[str, Any] = {"now": NOW + DAY, "seen": {}, "digest": None} | changes
    return verify_bundle(bytes(bundle), by or trust(), **options)


def answer(bundle: ProofBundle, by: Trust | None = None, **changes: Any) -> tuple[Outcome, str]:
    verdict = ask(bundle, by, **changes)
    assert verdict.outcome in (Outcome.MATCH, Outcome.UNKNOWN, Outcome.REVOKED) or verdict.newest is None
    return verdict.outcome, verdict.why


def checkpoint_of(bundle: ProofBundle) -> Checkpoint:
    return Checkpoint.parse(bundle.checkpoint.text)


def test_each_outcome_has_its_name_and_its_exit_code() -> None:
    assert {outcome.value: outcome.exit_code for outcome in Outcome} == {
        "match": 0,
        "unknown": 1,
        "bad-proof": 4,
        "untrusted-signer": 6,
        "revoked": 7,
        "stale": 8,
        "older-than-seen": 9,
        "false-record": 11,
        "endorsed": 10,
        "inferred": 10,
        "included": 15,
    }


def test_a_match_has_all_that_was_verified() -> None:
    bundle, by = made(signers=(LOG, WITNESS)), trust(quorum=True)
    verdict = ask(bundle, by)
    assert (verdict.outcome, verdict.why) == (Outcome.MATCH, "the log has this row")
    assert verdict.checkpoint == checkpoint_of(bundle)
    assert [found.key for found in verdict.signers] == [LOG.key, WITNESS.key]
    assert verdict.row == ROWS[0]
    assert verdict.release is not None
    assert verdict.release.release == 1
    assert verdict.status is None
    assert verdict.newest == bundle.checkpoint
    assert verdict.fresh_until == NOW + 7 * DAY
    assert verdict.policy == by.policy
    assert verdict.revocations == RevocationChain.of(REVOKES)
    assert verdict.notes == ()


def test_a_verdict_as_json() -> None:
    bundle, by = made(row=2, signers=(LOG, WITNESS, OTHER_WITNESS)), trust(quorum=True)
    checkpoint = checkpoint_of(bundle)
    assert verdict_to_dict(ask(bundle, by)) == {
        "outcome": "match",
        "why": "the log has this row, which is deprecated: is old",
        "checkpoint": {
            "origin": ORIGIN,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "root_base64": str(checkpoint).splitlines()[2],
        },
        "signers": [
            {"name": ORIGIN, "algorithm": "Ed25519", "timestamp": None, "votes": False},
            {"name": "w.example", "algorithm": "Ed25519 cosignature", "timestamp": NOW, "votes": True},
            {"name": "v.example", "algorithm": "Ed25519 cosignature", "timestamp": NOW, "votes": True},
        ],
        "quorum": "all",
        "fresh_until": NOW + 7 * DAY,
        "release": 1,
        "row": to_dict(ROWS[2]),
        "revocation": {"selector": {"vcpus": 3}, "severity": "deprecated", "reason": "is old"},
        "notes": [],
    }
    assert to_dict(ROWS[2])["vcpus"] == 3
    nothing = verify_bundle(b"", by, now=NOW, seen={}, digest=None)
    assert nothing.why
    assert verdict_to_dict(nothing) == {
        "outcome": "bad-proof",
        "why": nothing.why,
        "checkpoint": None,
        "signers": [],
        "quorum": None,
        "fresh_until": None,
        "release": None,
        "row": None,
        "revocation": None,
        "notes": [],
    }


def test_an_expired_trust_note_verifies_nothing() -> None:
    with pytest.raises(VerificationFailed, match="expired"):
        ask(made(), now=EXPIRES)
    assert answer(made(at=EXPIRES, signers=(LOG, WITNESS)), trust(quorum=True), now=EXPIRES - 1)[0] is Outcome.MATCH


def test_freshness_ends_with_max_age_or_the_trust_note() -> None:
    assert ask(made()).fresh_until == NOW + 7 * DAY
    assert ask(made(), trust(expires=NOW + 2 * DAY)).fresh_until == NOW + 2 * DAY


def test_freshness_is_decided_by_the_quorum_if_there_is_one() -> None:
    """Even if the release is recent; without a quorum the time of the release counts, which its leaf has."""
    bundle = made(signers=(LOG, WITNESS), at=NOW - 8 * DAY)
    outcome, why = answer(bundle, trust(quorum=True))
    assert outcome is Outcome.STALE
    assert "this checkpoint is stale" in why
    assert ask(bundle, trust(quorum=True)).fresh_until is None
    assert answer(made())[0] is Outcome.MATCH
    assert answer(made(), now=NOW + 7 * DAY)[0] is Outcome.MATCH
    assert answer(made(), now=NOW + 7 * DAY + 1)[0] is Outcome.STALE


def test_a_stale_quorum_is_reported_before_the_leaves_are_checked() -> None:
    bundle = made(signers=(LOG, WITNESS), at=NOW - 8 * DAY)
    broken = replace(bundle, row=replace(bundle.row, index=1))
    assert answer(broken, trust(quorum=True))[0] is Outcome.STALE


def test_signers_are_listed_if_the_quorum_is_missing() -> None:
    outcome, why = answer(made(), trust(quorum=True))
    assert (outcome, "lacks the witness quorum" in why) == (Outcome.UNTRUSTED, True)


def test_older_than_seen_and_a_fork_have_different_outcomes() -> None:
    bundle = made()
    found = checkpoint_of(bundle)

    def seen(**changes: Any) -> dict[str, Seen]:
        return {ORIGIN: Seen(replace(found, **changes))}

    older = f"a checkpoint of {found.size + 1} leaves was seen before"
    assert answer(bundle, seen=seen(size=found.size + 1)) == (Outcome.OLDER, older)
    fork = "a different checkpoint of the same size was seen before: a fork"
    assert answer(bundle, seen=seen(root=bytes(32))) == (Outcome.BAD, fork)
    assert answer(bundle, seen=seen(size=found.size - 1, root=bytes(32)))[0] is Outcome.MATCH
    assert answer(bundle, seen=seen())[0] is Outcome.MATCH
    for verdict in (ask(bundle, seen=seen(size=found.size + 1)), ask(bundle, seen=seen(root=bytes(32)))):
        assert (verdict.checkpoint, verdict.row, verdict.newest) == (found, None, None)
        assert verdict.policy is not None


def test_a_revocation_that_was_seen_cannot_be_removed() -> None:
    before = replace(checkpoint_of(made()), size=1)
    for revokes in ((), REVOKES[:1], REVOKES[::-1]):
        outcome, why = answer(made(revokes), seen={ORIGIN: Seen(before, RevocationChain.of(REVOKES))})
        assert (outcome, "2 revocations of this log were seen before" in why) == (Outcome.FALSE, True)
    for count in range(3):
        assert answer(made(), seen={ORIGIN: Seen(before, RevocationChain.of(REVOKES[:count]))})[0] is Outcome.MATCH


def test_both_leaves_have_to_be_in_the_tree() -> None:
    bundle, other = made(), made(release=2)
    for broken in (
        replace(bundle, row=replace(bundle.row, extra=encode_leaf(ROWS[1]))),
        replace(bundle, row=replace(bundle.row, index=1)),
        replace(bundle, row=replace(bundle.row, hashes=bundle.row.hashes[1:])),
        replace(bundle, status=replace(bundle.status, extra=other.status.extra)),
    ):
        outcome, why = answer(broken)
        assert (outcome, why != "") == (Outcome.BAD, True)


def test_the_status_must_be_the_last_leaf_and_a_release_record() -> None:
    bundle = made(behind=[encode_leaf(ROWS[0])])
    assert answer(bundle) == (Outcome.BAD, "the last leaf of the checkpoint is not a release record")
    log_of_more = made(behind=[b"{}"])
    at = log_of_more.status.index - 1
    earlier = made()
    assert earlier.status.index == at
    leaves = [*map(encode_leaf, ROWS), *map(encode_leaf, REVOKES), earlier.status.extra or b"", b"{}"]
    log = MemoryLog()
    log.append(leaves)
    moved = replace(log_of_more, status=proof(log, at, leaves))
    assert answer(moved) == (Outcome.BAD, "the status of the bundle is not the last leaf of the checkpoint")


def test_the_row_must_be_a_digest_record() -> None:
    assert answer(made(row=3))[0] is Outcome.BAD


def test_the_list_must_match_the_hash_in_the_release_record() -> None:
    hidden = replace(made(), revocations=())
    assert answer(hidden) == (Outcome.BAD, "the revocations of the bundle are not those of the release")


def test_a_list_that_the_release_does_not_commit_to_is_false() -> None:
    assert answer(made(listed=REVOKES[:1])) == (
        Outcome.FALSE,
        "the revocations of release 1 differ from those that it commits to",
    )


def test_a_release_of_0_1_0_without_commitment_is_noted() -> None:
    verdict = ask(made(revocations_count=UNSET, revocations_chain=UNSET))
    assert verdict.outcome is Outcome.MATCH
    assert [note.code for note in verdict.notes] == ["revocations-not-committed"]
    text = "release 1 does not commit to its revocations, like releases of ldcat 0.1.0"
    noted = {"code": "revocations-not-committed", "severity": "warning", "text": text}
    assert verdict_to_dict(verdict)["notes"] == [noted]


def test_a_row_of_an_unknown_technology_is_verified_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = made(revocations_count=UNSET, revocations_chain=UNSET)
    monkeypatch.setattr(module, "known_technologies", lambda: {"sev"})
    verdict = ask(bundle)
    assert verdict.outcome is Outcome.MATCH
    assert tuple(note.text for note in verdict.notes) == (
        "release 1 does not commit to its revocations, like releases of ldcat 0.1.0",
        f"this version of ldcat does not know technology {ROWS[0].technology!r}: the row's fields are not checked",
    )


def test_a_row_that_measures_no_kernel_is_noted() -> None:
    (note,) = row_notes(ROWS[0])
    assert (note.code, note.text) == (
        "digest-covers-no-kernel",
        "no kernel hashes were measured: the host chose what the firmware boots",
    )
    changed = partial(msgspec.structs.replace, ROWS[0])
    based = changed(firmware_sha256=UNSET, base_digest="bb" * 48)
    for row in (changed(kernel_hashes_sha256="bb" * 32), based, changed(technology="sev-later"), None):
        assert list(row_notes(row)) == []


def test_once_a_release_has_a_commitment_later_ones_need_it() -> None:
    old = made(revocations_count=UNSET, revocations_chain=UNSET)
    assert (ask(made()).commits, ask(old).commits, ask(made(), now=NOW + 8 * DAY).commits) == (True, False, False)
    before = replace(checkpoint_of(old), size=1)
    assert answer(old, seen={ORIGIN: Seen(before, commits=False)})[0] is Outcome.MATCH
    assert answer(made(), seen={ORIGIN: Seen(before, commits=True)})[0] is Outcome.MATCH
    assert answer(old, seen={ORIGIN: Seen(before, commits=True)}) == (
        Outcome.FALSE,
        "release 1 commits to no revocations, and one seen before did",
    )


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"time": EARLIEST - 1}, f"its time is {EARLIEST - 1}, before the first release of ldcat"),
        ({"time": NOW + DAY + MAX_AHEAD + 1}, "its time is 60 minutes ahead of the clock here"),
        ({"trust_version": 5 + MAX_TRUST_STEP + 1}, "its trust version is 70, and the previous one is 5"),
        ({"release": 0}, "its number or its previous_size exceeds the number of leaves"),
        ({"release": -1}, "its number or its previous_size exceeds the number of leaves"),
        ({"release": 7}, "its number or its previous_size exceeds the number of leaves"),
        ({"previous_size": -1}, "its number or its previous_size exceeds the number of leaves"),
        ({"previous_size": 6}, "its number or its previous_size exceeds the number of leaves"),
        (
            {"trust_version": 70, "previous_size": 6},
            "its trust version is 70, and the previous one is 5; "
            "its number or its previous_size exceeds the number of leaves",
        ),
    ],
)
def test_impossible_values_of_a_release_record_are_false(record: dict[str, Any], why: str) -> None:
    number = record.get("release", 1)
    verdict = ask(made(**record))
    assert (verdict.outcome, verdict.why) == (Outcome.FALSE, f"release {number} is false: {why}")
    assert (verdict.row, verdict.newest) == (None, None)


@pytest.mark.parametrize(
    "record",
    [
        {"time": NOW + DAY + MAX_AHEAD},
        {"trust_version": 5 + MAX_TRUST_STEP},
        {"trust_version": None},
        {"release": 1},
        {"release": 6},
        {"previous_size": 5},
    ],
)
def test_extreme_possible_values_of_a_release_record_are_accepted(record: dict[str, Any]) -> None:
    assert ask(made(signers=(LOG, WITNESS), **record), trust(quorum=True)).outcome is Outcome.MATCH


def test_a_revoked_row_is_reported_with_the_reason() -> None:
    verdict = ask(made(row=1))
    assert (verdict.outcome, verdict.why) == (Outcome.REVOKED, "is bad")
    assert verdict.status is not None
    assert verdict.status.severity == "revoked"
    assert verdict.newest is not None
    deprecated = ask(made(row=2))
    assert (deprecated.outcome, deprecated.why) == (
        Outcome.MATCH,
        "the log has this row, which is deprecated: is old",
    )
    assert deprecated.status is not None


def test_another_digest_is_unknown() -> None:
    for row in (0, 1):
        digest = ROWS[row].launch_digest
        assert answer(made(row=row), digest=digest)[0] is (Outcome.MATCH if row == 0 else Outcome.REVOKED)
        unknown = ask(made(row=row), digest="00" * 48)
        assert (unknown.outcome, unknown.why) == (Outcome.UNKNOWN, "the proof is for another launch digest")
        assert unknown.newest is not None


def test_a_trust_note_must_be_signed_by_its_own_roots() -> None:
    by = trust()
    assert read_trust(bytes(signed(str(by), ROOT))) == by
    with pytest.raises(VerificationFailed):
        read_trust(bytes(signed(str(by), signer("other.example"))))


def test_a_refused_bundle_has_the_hint_of_its_error() -> None:
    old = made(revocations_count=UNSET, revocations_chain=UNSET)
    stale = made(signers=(LOG, WITNESS), at=NOW - 8 * DAY)
    before = Seen(replace(checkpoint_of(old), size=1), RevocationChain.of((*REVOKES, *REVOKES)))
    found = {
        "get the log or the proof again": [ask(made(), now=NOW + 8 * DAY), ask(stale, trust(quorum=True))],
        "ldcat doctor LOG --trust FILE says who is missing; its publisher can ask them": [
            ask(made(), trust(quorum=True))
        ],
        "a revocation was removed silently": [ask(old, seen={ORIGIN: before})],
        "verify the lines one at a time: sed -n 1p FILE is the first": [
            verify_bundle(b"{}\n{}\n", trust(), now=NOW, seen={}, digest=None)
        ],
    }
    for hint, verdicts in found.items():
        assert all((verdict.hint or "").startswith(hint) for verdict in verdicts), hint
    assert ask(made()).hint is None


def test_an_older_release_may_commit_to_no_revocations() -> None:
    """Those of ldcat 0.1.0 did not; a later one did, and this machine saw it."""
    old = made(revocations_count=UNSET, revocations_chain=UNSET)
    later = Seen(replace(checkpoint_of(old), size=90), RevocationChain.of(REVOKES), commits=True)
    verdict = ask(old, seen={ORIGIN: later}, accept_older=2 * DAY)
    assert verdict.outcome is Outcome.MATCH
    assert [note.code for note in verdict.notes] == ["revocations-not-committed", "older-proof-accepted"]
