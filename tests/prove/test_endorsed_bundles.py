"""Proof bundles of endorsed digests: an answer and an exit code of their own, which are never those of a row."""

from __future__ import annotations

from catalog.log.records import encode_leaf
from catalog.prove.proof_by_hand import lines_by_hand
from catalog.prove.verdict import Outcome, Verdict, verdict_to_dict
from catalog.prove.verify_proof import verify_bundle
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.values import replace
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed
from tests.support.logs import NOW
from tests.support.proof_bundles import ROWS, bundle_of

ORIGIN = "example.com/log"


INFERRED = DigestRecord(
    type="digest",
    launch_digest=SNP_DIGEST,
    technology="sev-snp",
    firmware_sha256=None,
    base_digest="ba" * 48,
    kernel_hashes_sha256=None,
    vmm="gce-v1",
    vcpus=2,
    vcpu_signature=None,
    sev_features="0x1",
)


def verdict(record: EndorsedRecord | DigestRecord, digest: str | None = SNP_DIGEST, **changed: str) -> Verdict:
    bundle, trust = bundle_of(ORIGIN, len(ROWS), endorsed=[record], **changed)  # type: ignore[arg-type]
    return verify_bundle(bytes(bundle), trust, now=NOW, seen={}, digest=digest)


def test_a_proof_of_an_endorsed_digest_is_no_match() -> None:
    found = verdict(endorsed())
    assert (found.outcome, found.outcome.exit_code) == (Outcome.ENDORSED, 10)
    assert found.why == "the log has this endorsed digest without a known configuration"
    assert found.row == endorsed()
    row = verdict_to_dict(found)["row"]
    assert row["endorser"] == {"scheme": "azure-uvm", "id": "did:x509:0", "feed": "a feed", "svn": 7}
    assert row["claims"]["vcpus"] == 4


def test_a_proof_of_a_row_that_follows_from_a_base_is_no_match() -> None:
    found = verdict(INFERRED)
    assert (found.outcome, found.outcome.exit_code) == (Outcome.INFERRED, 10)
    assert found.why == "the log has this row, which follows from another launch digest: its firmware is not known"
    assert found.row == INFERRED


def test_a_digest_that_was_only_reported_is_unknown() -> None:
    found = verdict(listed(scheme="reported"))
    assert (found.outcome, found.why) == (Outcome.UNKNOWN, "the log has a report of this digest, which nobody endorses")


def test_a_proof_of_another_digest_is_unknown() -> None:
    assert verdict(endorsed(), "00" * 48).outcome is Outcome.UNKNOWN
    assert verdict(endorsed(), None).outcome is Outcome.ENDORSED


def test_what_the_log_revokes_or_deprecates_is_said() -> None:
    of_sev = endorsed("ab" * 32, technology="sev")
    revoked = verdict(of_sev, None, severity="revoked")
    assert (revoked.outcome, revoked.outcome.exit_code) == (Outcome.REVOKED, 7)
    deprecated = verdict(of_sev, None, severity="deprecated")
    assert deprecated.outcome is Outcome.ENDORSED
    assert ", which is deprecated: " in deprecated.why


def test_a_changed_claim_is_a_bad_proof() -> None:
    bundle, trust = bundle_of(ORIGIN, len(ROWS), endorsed=[endorsed()])
    other = encode_leaf(endorsed(claims={"vcpus": 8}))
    forged = replace(bundle, row=replace(bundle.row, extra=other))
    found = verify_bundle(bytes(forged), trust, now=NOW, seen={}, digest=None)
    assert (found.outcome, found.row) == (Outcome.BAD, None)


def test_a_technology_of_a_later_version_is_noted() -> None:
    (note,) = verdict(endorsed(technology="cca")).notes
    assert note.code == "technology-unknown"
    assert "does not know technology 'cca'" in note.text


def test_the_script_ends_with_the_exit_code() -> None:
    bundle, trust = bundle_of(ORIGIN, len(ROWS), endorsed=[endorsed()])
    found = verify_bundle(bytes(bundle), trust, now=NOW, seen={}, digest=None)
    assert "exit 10 # endorsed" in lines_by_hand(bytes(bundle), found)
