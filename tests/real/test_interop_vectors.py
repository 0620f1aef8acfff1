"""Notes, proofs and lists of other C2SP implementations; test_cosignature_vectors.py has those about a quorum."""

from __future__ import annotations

import hashlib

import pytest

from catalog.prove.verdict import Outcome
from catalog.prove.verify_tlog_proof import is_tlog_proof, verify_tlog_proof
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.ed25519_policy import ed25519_policy
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.log_list import LogList, logs_to_witness
from catalog.transparency.note import Note
from catalog.transparency.policy import Policy
from catalog.transparency.proof import TlogProof
from tests.real.shared import SHARED
from tests.support.trust_notes import trust_of

INTEROP = SHARED / "vectors/interop"
WHOLE, BARE = (INTEROP / f"torchwood-0.9.0-row256{name}.tlog-proof" for name in ("", "-noextra"))
ED25519 = (INTEROP / "policy-ed25519.tlog-policy").read_text()


def keys(name: str) -> list[VerifierKey]:
    return [VerifierKey.parse(line) for line in (INTEROP / name).read_text().split()]


def test_ldcats_witness_cosigned_a_log_of_tessera() -> None:
    note = Note.parse((INTEROP / "tessera-1.0.4-cosigned-by-ldcat.note").read_bytes())
    verified = note.verify([*keys("tessera.vkey"), *keys("ldcat-witness.vkeys")])
    assert [by.key.name for by in verified] == ["tessera.example/log", "witness.example/ld"]
    assert Checkpoint.parse(note.text).size == 222


def test_ldcats_witness_cosigned_a_tree_head_of_sigsum() -> None:
    """Its origin is the hash of the key of the log, and its cosignature the one of a checkpoint."""
    text = (INTEROP / "sigsum-proof-cosigned-by-ldcat.txt").read_text()
    said = dict(line.split("=", 1) for line in text.splitlines() if line)
    checkpoint = Checkpoint(f"sigsum.org/v1/tree/{said['log']}", int(said["size"]), bytes.fromhex(said["root_hash"]))
    hashed, timestamp, signature = said["cosignature"].split()
    (key,) = (key for key in keys("ldcat-witness.vkeys") if key.type is SignatureType.COSIGNATURE_ED25519)
    assert hashlib.sha256(key.public_key).hexdigest() == hashed
    cosignature = int(timestamp).to_bytes(8, "big") + bytes.fromhex(signature)
    assert key.verify(str(checkpoint), cosignature) == int(timestamp)


@pytest.mark.parametrize("path", [WHOLE, BARE])
def test_a_proof_of_torchwood(path: object) -> None:
    data, whole = (WHOLE if path is WHOLE else BARE).read_bytes(), TlogProof.parse(WHOLE.read_bytes())
    proof, leaf = TlogProof.parse(data), whole.inclusion.extra
    assert (is_tlog_proof(data), bytes(proof)) == (True, data)
    times = [
        by.timestamp or 0 for by in proof.checkpoint.verify(list(Policy.parse(ED25519.encode()).witnesses.values()))
    ]
    verdict = verify_tlog_proof(data, trust_of(ED25519), now=max(times), seen={}, digest=None, leaf=leaf)
    assert (verdict.outcome, verdict.row is not None) == (Outcome.INCLUDED, True), verdict.why
    bare = verify_tlog_proof(data, trust_of(ED25519), now=max(times), seen={}, digest=None)
    assert bare.outcome is (Outcome.INCLUDED if path is WHOLE else Outcome.BAD)


def test_the_policies_of_the_vectors_are_as_ldcat_narrows_them() -> None:
    policy = Policy.parse((INTEROP / "policy.tlog-policy").read_bytes())
    assert ed25519_policy(Policy.parse(ED25519.encode()), all_log_signatures=False) == ED25519
    assert [key.type for key in policy.logs] == [SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44]
    assert Policy.parse(ED25519.removesuffix("\n").encode()) == Policy.parse(ED25519.encode())


def test_the_entry_that_the_witness_network_accepts() -> None:
    data = (INTEROP / "witness-network-entry.logs-v0").read_bytes()
    listed = LogList.parse(data)
    (log,) = listed.logs
    assert bytes(listed) == data
    assert (log.origin, log.per_day, log.contact) == ("example.com/launch-digests", 24, "ops (at) example.com")
    assert logs_to_witness(data) == {log.origin: (keys("log.vkeys")[0],)}
