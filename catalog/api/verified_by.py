"""What a caller of the Python API verifies evidence by."""

from __future__ import annotations

import time

from catalog.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from catalog.api.evidence_inputs import CertificatesInput
    from catalog.ask.verification import VerificationInputs
    from catalog.evidence.evidence import Evidence


def verified_by(
    evidence: Evidence,
    certs: CertificatesInput,
    roots: CertificatesInput,
    crls: CertificatesInput,
    tik: bytes | None,
    at: datetime | None,
    *,
    require_verified: bool,
) -> VerificationInputs:
    """What evidence is verified by, as a caller of `lookup` and `explain` gives it; for a quote certs are collateral.

    Raises UsageError for a time without a time zone, and the errors of `certificates_of`.
    """
    from catalog.api.evidence_inputs import certificates_of, collateral_of, revocation_lists_of
    from catalog.ask.verification import VerificationInputs

    of_quote = evidence.quote is not None and certs != ()
    return VerificationInputs(
        certificates=() if of_quote else certificates_of(certs),
        collateral=collateral_of(certs) if of_quote else None,
        roots=certificates_of(roots, are_roots=True),
        lists=revocation_lists_of(crls),
        now=_seconds(at),
        tik=tik,
        require_verified=require_verified,
    )


def _seconds(at: datetime | None) -> float:
    if at is None:
        return time.time()
    if at.utcoffset() is None:
        raise UsageError("the time has no time zone", "such as datetime(2026, 6, 1, tzinfo=UTC)")
    return at.timestamp()
