"""Bare tlog-proofs: they are verified as bundles are, and are never a match."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from catalog.errors import VerificationFailed
from catalog.log.records import encode_leaf
from catalog.log.revocation_list import Revocation
from catalog.log.seen import Seen
from catalog.prove.verdict import Outcome, Verdict
from catalog.prove.verify_tlog_proof import is_tlog_proof, verify_tlog_proof
from catalog.rows.digest_record import DigestRecord
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType
from catalog.transparency.proof import InclusionProof, TlogProof
from catalog.transparency.trust import Trust
from tests.support.endorsed_digests import endorsed, listed
from tests.support.logs import DAY, LOG, NOW, ORIGIN, MemoryLog, signed, signer
from tests.support.trust_notes import trust_of

WITNESS = signer("w.example", SignatureType.COSIGNATURE_ED25519)
TRUST = trust_of(f"log {LOG.key}\nwitness w {WITNESS.key}\nquorum w\n")
ROW = DigestRecord(
    type="digest",
    launch_digest="ab" * 48,
    technology="sev-snp",
    firmware_sha256="aa" * 32,
    kernel_hashes_sha256=None,
    vmm="qemu",
    vcpus=2,
    vcpu_signature="0x00a00f11",
    sev_features="0x1",
)
LEAF = encode_leaf(ROW)


def made(leaf: bytes = LEAF, *, extra: bool = True, signers: tuple[Any, ...] = (LOG, WITNESS)) -> TlogProof:
    log = MemoryLog()
    log.append([b"before", leaf, b"after"])
    hashes = tuple(merkle.inclusion_proof(1, log.size, log.reader.node))
    note = signed(str(log.checkpoint(ORIGIN)), *signers)
    return TlogProof(InclusionProof(1, hashes, leaf if extra else None), note)


def ask(proof: TlogProof | bytes, by: Trust = TRUST, **changes: Any) -> Verdict:
    options: dict[str, Any] = {"now": NOW + DAY, "seen": {}, "digest": None} | changes
    return verify_tlog_proof(bytes(proof), by, **options)


def answer(proof: TlogProof | bytes, by: Trust = TRUST, **changes: Any) -> tuple[Outcome, str]:
    verdict = ask(proof, by, **changes)
    assert verdict.newest is None  # nothing is remembered
    return verdict.outcome, verdict.why


def test_a_row_is_included() -> None:
    verdict = ask(made())
    assert (verdict.outcome, verdict.outcome.exit_code) == (Outcome.INCLUDED, 15)
    assert (verdict.row, verdict.release) == (ROW, None)
    assert verdict.why == "the log has this row; whether it is revoked is not known"
    assert [note.code for note in verdict.notes] == ["revocations-not-shown"]
    assert verdict.fresh_until == NOW + 7 * DAY
    assert ask(made(), digest=ROW.launch_digest).outcome is Outcome.INCLUDED
    assert answer(made(), digest="00" * 48) == (Outcome.UNKNOWN, "the proof is for another launch digest")


def test_the_row_may_be_beside_the_proof() -> None:
    bare = made(extra=False)
    assert is_tlog_proof(bytes(bare))
    assert ask(bare, leaf=LEAF).outcome is Outcome.INCLUDED
    assert answer(bare) == (Outcome.BAD, "the proof has no extra data, so its leaf has to be given")
    assert answer(bare, leaf=LEAF + b"\n")[0] is Outcome.BAD
    other = encode_leaf(replace(ROW, vcpus=3))
    assert answer(made(), leaf=other)[0] is Outcome.BAD  # the extra data is not looked at then


def test_what_a_row_without_firmware_or_an_endorsed_digest_says() -> None:
    assert "endorsed digest" in ask(made(encode_leaf(endorsed()))).why
    assert ask(made(encode_leaf(endorsed()))).outcome is Outcome.INCLUDED
    reported = ask(made(encode_leaf(listed(scheme="reported"))))
    assert reported.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("proof", "changes", "expected"),
    [
        (made(signers=(LOG,)), {}, Outcome.UNTRUSTED),
        (made(signers=(signer("x.example"), WITNESS)), {}, Outcome.UNTRUSTED),
        (made(), {"now": NOW + 8 * DAY}, Outcome.STALE),
        (made(b"no record"), {}, Outcome.BAD),
        (bytes(made()).replace(b"index 1", b"index 0"), {}, Outcome.BAD),
        (bytes(made()).replace(b"index 1", b"index 01"), {}, Outcome.BAD),
        (bytes(made())[:-5], {}, Outcome.BAD),
    ],
)
def test_what_is_refused(proof: TlogProof | bytes, changes: dict[str, Any], expected: Outcome) -> None:
    verdict = ask(proof, **changes)
    assert (verdict.outcome, verdict.row) == (expected, None)


def test_a_log_without_quorum_needs_a_time_of_a_cosigner() -> None:
    alone = trust_of(f"log {LOG.key}\nwitness w {WITNESS.key}\nquorum none\n")
    assert ask(made(), alone).outcome is Outcome.INCLUDED
    verdict = ask(made(signers=(LOG,)), alone)
    assert (verdict.outcome, verdict.why) == (Outcome.STALE, "nothing in the proof says when it was made")
    assert verdict.hint == "ask for a proof bundle; or for one after: ldcat cosign --heartbeat"


def test_an_older_checkpoint_and_a_fork_are_refused() -> None:
    log = MemoryLog()
    log.append([b"a", b"b", b"c", b"d"])
    later = Seen(log.checkpoint(ORIGIN))
    assert answer(made(), seen={ORIGIN: later}) == (Outcome.OLDER, "a checkpoint of 4 leaves was seen before")
    fork = MemoryLog()
    fork.append([b"a", b"b", b"c"])
    assert answer(made(), seen={ORIGIN: Seen(fork.checkpoint(ORIGIN))})[0] is Outcome.BAD


def test_a_revocation_that_was_seen_counts() -> None:
    before = made().checkpoint
    checkpoint = Checkpoint.parse(before.text)
    entry = Revocation(selector={"vcpus": 2}, severity="revoked", reason="is bad")
    assert answer(made(), seen={ORIGIN: Seen(checkpoint, listed=(entry,))}) == (Outcome.REVOKED, "is bad")
    entry = Revocation(selector={"vcpus": 2}, severity="deprecated", reason="is old")
    assert ask(made(), seen={ORIGIN: Seen(checkpoint, listed=(entry,))}).outcome is Outcome.INCLUDED
    other = Revocation(selector={"vcpus": 3}, severity="revoked", reason="is bad")
    assert ask(made(), seen={ORIGIN: Seen(checkpoint, listed=(other,))}).outcome is Outcome.INCLUDED


def test_an_expired_trust_note_is_an_error() -> None:
    with pytest.raises(VerificationFailed, match="has expired"):
        ask(made(), now=TRUST.expires)


def test_no_change_of_a_proof_is_accepted() -> None:
    data = bytes(made())
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        verdict = ask(changed)
        assert verdict.outcome is not Outcome.INCLUDED or verdict.row == ROW, at
