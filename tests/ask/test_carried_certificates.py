"""Certificates that come with evidence: used with those that are given, and alone if a root is among them."""

from __future__ import annotations

import pytest

from catalog.abi.report import AttestationReport
from catalog.ask.verification import VerificationInputs, check_verification_inputs, not_verified, verified
from catalog.errors import UsageError
from catalog.evidence.evidence import Evidence
from tests.support.attestation_builder import NOW, chain, report_bytes, signed

CHAIN = chain()
DERS = tuple(one.der for one in CHAIN.all)
REPORT = AttestationReport.parse(signed(report_bytes()))


def evidence(*certificates: bytes) -> Evidence:
    return Evidence("attestation report", REPORT, certificates)


def test_a_chain_that_came_with_a_report_is_used() -> None:
    proofs = VerificationInputs(roots=(CHAIN.ark,), now=NOW)
    check_verification_inputs(evidence(*DERS), proofs)
    found = verified(evidence(b"\x30\x00", *DERS), proofs)
    assert found
    assert found.verified
    untrusted = verified(evidence(*DERS), VerificationInputs(now=NOW))
    assert untrusted
    assert not untrusted.verified


def test_without_a_root_certificates_alone_prove_nothing() -> None:
    assert verified(evidence(DERS[0]), VerificationInputs(now=NOW)) is None
    assert "no root is among the certificates that came with the report" in not_verified(evidence(DERS[0]))
    assert verified(evidence(), VerificationInputs(now=NOW)) is None
    assert not_verified(evidence()) == "not verified: no certificates are given"
    with pytest.raises(UsageError, match="without the certificates below it"):
        check_verification_inputs(evidence(), VerificationInputs(roots=(CHAIN.ark,)))


def test_they_complete_those_that_are_given() -> None:
    proofs = VerificationInputs(certificates=CHAIN.all[1:], roots=(CHAIN.ark,), now=NOW)
    found = verified(evidence(DERS[0]), proofs)
    assert found
    assert found.verified
