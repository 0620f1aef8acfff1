"""Proof bundles of made-up rows, in a log in memory, under keys with unusual names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from catalog.files.plain_json import canonical_json
from catalog.log.records import ReleaseRecord, Severity, encode_leaf
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import Revocation
from catalog.prove.proof_bundle import FORMAT_1, ProofBundle
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.transparency import merkle
from catalog.transparency.keys import SignatureType, Signer
from catalog.transparency.note import Note
from catalog.transparency.proof import InclusionProof, TlogProof
from catalog.transparency.trust import Trust
from tests.support.logs import NOW, MemoryLog, signed, signer
from tests.support.trust_notes import trust_of

DIGEST = "ab" * 32

ROWS = [
    DigestRecord(
        type="digest",
        launch_digest=DIGEST,
        technology="sev",
        firmware_sha256=f"{number:064x}",
        kernel_hashes_sha256=None,
        vmm="it's\\n%d",
        vcpus=None,
        vcpu_signature=None,
        sev_features=None,
    )
    for number in range(6)
]


def signers_of(origin: str) -> list[Signer]:
    return [
        signer(origin),
        signer(origin, SignatureType.COSIGNATURE_ML_DSA_44),
        signer("w.example/$(touch\u00a1pwned)'", SignatureType.COSIGNATURE_ED25519),
    ]


def bundle_of(
    origin: str,
    index: int = 2,
    severity: Severity = "deprecated",
    chain: str | None = None,
    endorsed: Sequence[EndorsedRecord | DigestRecord] = (),
) -> tuple[ProofBundle, Trust]:
    """chain: what the release commits to, if it is not the chain of its list. endorsed: further leaves after ROWS."""
    revocation = Revocation(
        selector={"technology": "sev"}, severity=severity, reason="it's \\n $(touch pwned) \u00e4!!"
    )
    listed = canonical_json([{name: getattr(revocation, name) for name in ("selector", "severity", "reason")}])
    release = ReleaseRecord(
        type="release",
        release=1,
        time=NOW,
        artifacts={},
        revocations_sha256=hashlib.sha256(listed).hexdigest(),
        revocations_count=1,
        revocations_chain=chain or RevocationChain.of([revocation.record]).value,
        previous_size=0,
        previous_root=merkle.EMPTY_ROOT.hex(),
        trust_version=None,
    )
    leaves = [*map(encode_leaf, ROWS), *map(encode_leaf, endorsed), encode_leaf(release)]
    log = MemoryLog()
    log.append(leaves)
    signers = signers_of(origin)
    note = signed(str(log.checkpoint(origin)), *signers)
    proofs = [
        InclusionProof(at, tuple(merkle.inclusion_proof(at, log.size, log.reader.node)), leaves[at])
        for at in (index, log.size - 1)
    ]
    policy = f"log {signers[0].key}\nlog {signers[1].key}\nwitness w {signers[2].key}\nquorum w\n"
    return ProofBundle(note, proofs[0], proofs[1], (revocation,)), trust_of(policy)


def in_format_1(bundle: ProofBundle, other: Note | None = None) -> bytes:
    """The bundle as ldcat wrote it before format 2. other: the checkpoint of the status, if not that of the row."""
    proofs = {"row": bundle.checkpoint, "status": other or bundle.checkpoint}
    texts = {name: bytes(TlogProof(getattr(bundle, name), note)).decode() for name, note in proofs.items()}
    listed = [{name: getattr(one, name) for name in ("selector", "severity", "reason")} for one in bundle.revocations]
    return canonical_json({"format": FORMAT_1, **texts, "revocations": listed}) + b"\n"
