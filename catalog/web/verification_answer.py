"""Types of the verification of a report in the JSON of the service."""

from __future__ import annotations

from typing import Literal

import msgspec

from catalog.web.answer_types import Severity


class CheckAnswer(msgspec.Struct):
    """The outcome of a check. code, severity: as of a note. passed: null for what decides nothing."""

    code: str
    severity: Severity
    passed: bool | None
    text: str


class CertificateSourceAnswer(msgspec.Struct):
    """Where AMD publishes a certificate for a report, or Intel collateral for a quote. url: null if `what` says why."""

    what: str
    url: str | None


class VerificationAnswer(msgspec.Struct):
    """Whether certificates that came with the report or quote endorse it; a quote brings none that say so of its TCB.

    root: product of AMD's root at the end of their chain, or name of Intel's; null for another, and a broken chain.
    root_trusted_by: null if the root is not trusted; the service trusts AMD's and Intel's only.
    certificates_at: empty if certificates came with the report.
    """

    verified: bool
    root: str | None
    root_trusted_by: Literal["amd", "intel", "given"] | None
    findings: list[CheckAnswer]
    certificates_at: list[CertificateSourceAnswer]
