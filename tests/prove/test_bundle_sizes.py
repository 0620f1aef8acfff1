"""The table of sizes in docs/log.md, recomputed for a log as large as that of the default catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.log.records import ReleaseRecord, encode_leaf
from catalog.log.revocation_chain import RevocationChain
from catalog.prove.proof_bundle import ProofBundle
from catalog.rows.digest_record import DigestRecord
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer
from catalog.transparency.merkle import siblings_on_the_left
from catalog.transparency.note import Note
from catalog.transparency.proof import InclusionProof, TlogProof
from tests.support.logs import NOW, signed, signer

DOCS = Path(__file__).parents[2] / "docs"
SIZE = 400_000
"""Leaves, as the text above the table says."""

CLOSE = 0.03
"""How far a number of the table may be off: names and counters of another log have other lengths."""

LOG = "example.com/launch-digests"
COSIGNERS = ["witness.example/w1", "witness.example/w2", "example.com/heartbeat"]

ROW = DigestRecord(
    type="digest",
    launch_digest="ab" * 48,
    technology="sev-snp",
    firmware_sha256="cd" * 32,
    kernel_hashes_sha256="ef" * 32,
    vmm="qemu-kvm-init2",
    vcpus=41,
    vcpu_signature="0x00800f12",
    sev_features="0x201",
)
RELEASE = ReleaseRecord(
    type="release",
    release=12,
    time=NOW,
    artifacts={"manifest.json": "ab" * 32},
    revocations_sha256="ab" * 32,
    revocations_count=RevocationChain().count,
    revocations_chain=RevocationChain().value,
    previous_size=SIZE - 1000,
    previous_root="ab" * 32,
    trust_version=1,
)
ED25519, COSIGNATURE = SignatureType.ED25519, SignatureType.COSIGNATURE_ED25519
ML_DSA = SignatureType.COSIGNATURE_ML_DSA_44
KEYS = {
    "Ed25519": ([ED25519], [COSIGNATURE]),
    "ML-DSA-44": ([ML_DSA], [ML_DSA]),
    "both; witnesses have Ed25519": ([ED25519, ML_DSA], [COSIGNATURE]),
    "both, as `ldcat keygen` makes them": ([ED25519, ML_DSA], [COSIGNATURE, ML_DSA]),
}
"""Kinds of the keys of the log, and of each cosigner, by the first column of the table."""


def checkpoint(keys: str, cosigners: int) -> Note:
    of_log, of_cosigner = KEYS[keys]
    made: list[Signer] = [signer(LOG, kind) for kind in of_log]
    made += [signer(name, kind) for name in COSIGNERS[:cosigners] for kind in of_cosigner]
    return signed(str(Checkpoint(LOG, SIZE, bytes(32))), *made)


def proof(index: int, leaf: bytes) -> InclusionProof:
    """Of the right length, with made-up hashes."""
    return InclusionProof(index, tuple(bytes(32) for _ in siblings_on_the_left(index, SIZE)), leaf)


def bundle(keys: str, cosigners: int) -> ProofBundle:
    row, status = proof(SIZE // 3, encode_leaf(ROW)), proof(SIZE - 1, encode_leaf(RELEASE))
    return ProofBundle(checkpoint(keys, cosigners), row, status, ())


def table() -> dict[str, Sequence[int]]:
    section = (DOCS / "log.md").read_text().partition("### Size of a bundle\n")[2].partition("\n### ")[0]
    assert f"{SIZE:,} leaves" in section
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.split("\n") if line[:1] == "|"]
    return {keys: [int(cell.replace(",", "")) for cell in cells] for keys, *cells in lines[2:]}


@pytest.mark.parametrize("keys", KEYS)
def test_the_table_says_how_large_a_bundle_is(keys: str) -> None:
    *bundles, alone = table()[keys]
    assert bundles == [pytest.approx(len(bytes(bundle(keys, n))), rel=CLOSE) for n in range(4)]
    two = bundle(keys, 2)
    assert alone == pytest.approx(len(bytes(TlogProof(two.row, two.checkpoint))), rel=CLOSE)


def test_the_table_has_nothing_else() -> None:
    assert table().keys() == KEYS.keys()


def test_a_proof_of_a_row_with_two_witnesses_has_less_than_2000_bytes() -> None:
    """With Ed25519 keys, as a tlog-proof; the bundle has the release record, too."""
    two = bundle("Ed25519", 2)
    assert len(bytes(TlogProof(two.row, two.checkpoint))) < 2000
