"""The verification result of a report, for tests of its chain: which checks failed, and the findings of one check."""

from __future__ import annotations

from typing import Any

from catalog.abi.report import AttestationReport
from catalog.endorse.endorsement import Endorsement, verify_report
from catalog.endorse.report_finding import Finding
from tests.support.attestation_builder import (
    NOW,
    Chain,
)

VLEK: dict[str, Any] = {"key_info": 1 << 2}


def judged(raw: bytes, made: Chain, now: float = NOW) -> Endorsement:
    """Verified with the chain, whose ARK is given as a root."""
    return verify_report(AttestationReport.parse(raw), made.all, now, [made.ark])


def failed(endorsement: Endorsement) -> list[str]:
    return sorted({finding.code for finding in endorsement.findings if finding.passed is False})


def findings_of(endorsement: Endorsement, code: str) -> list[Finding]:
    return [finding for finding in endorsement.findings if finding.code == code]
