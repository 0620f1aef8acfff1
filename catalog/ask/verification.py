"""Verification: the inputs by which evidence is verified, and what it comes to."""

from __future__ import annotations

from catalog.errors import UsageError
from catalog.notes import WARNING
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # cryptography takes long to load
    from collections.abc import Mapping, Sequence
    from typing import Any

    from catalog.abi.digest import LaunchDigest
    from catalog.abi.tdx.quote import TdxQuote
    from catalog.endorse.certificate import Certificate
    from catalog.endorse.crl import RevocationList
    from catalog.endorse.endorsement import Endorsement
    from catalog.endorse.kds import CertificateSource
    from catalog.endorse.report_checks import ReportChecks
    from catalog.endorse.report_finding import Finding
    from catalog.endorse.tdx.collateral import Collateral
    from catalog.evidence.evidence import Evidence

_TWO_DIGESTS = "digests-differ"
"""The note on evidence that states another digest than its report."""

_ANY_SVN: Mapping[str, int] = {}


class VerificationInputs(Value):
    """The inputs by which evidence is verified.

    certificates: chain of a report's signing key, or of a quote's.
    roots: root certificates that are trusted besides AMD's and Intel's.
    collateral: what Intel says of the platform of a quote.
    lists: revocation lists (CRL).
    now: seconds since 1970: when the certificates have to be valid.
    tik: the TIK of a launch measurement, 16 bytes.
    debug_digest: the launch digest that the host states; only a hint.
    min_svn: the least SVN by feed: endorsements with a lower one, or with none, are refused.
    checks: what is demanded of a report besides its signature; None for nothing.
    require_verified: evidence that is not verified is refused, and so is a report that cannot be compared in all.
    """

    certificates: Sequence[Certificate] = ()
    roots: Sequence[Certificate] = ()
    lists: Sequence[RevocationList] = ()
    now: float = 0
    tik: bytes | None = None
    debug_digest: LaunchDigest | None = None
    min_svn: Mapping[str, int] = _ANY_SVN
    checks: ReportChecks | None = None
    require_verified: bool = False
    collateral: Collateral | None = None

    def __repr__(self) -> str:  # never the TIK
        return f"VerificationInputs({len(self.certificates)} certificates)"


def check_verification_inputs(evidence: Evidence, proofs: VerificationInputs) -> None:
    """Raises UsageError if an input does not belong to this form of evidence, or a launch measurement has no TIK."""
    if not evidence.verifiable:
        for given, what in (
            (proofs.certificates or proofs.roots, "certificates are"),
            (proofs.lists, "a revocation list is"),
            (proofs.checks if evidence.td is None else None, "checks of a report are"),
        ):
            if given:
                raise UsageError(f"{what} only for an attestation report, not for: {evidence.form}")
    if evidence.td and proofs.checks and (of_snp := proofs.checks.for_snp_alone):
        names = ", ".join(f"--{name.removesuffix('_digest').replace('_', '-')}" for name in of_snp)
        raise UsageError(f"{names}: only for an attestation report of SEV-SNP, not for: {evidence.form}")
    if not proofs.certificates and not evidence.certificates and not proofs.collateral:
        for given, option in ((proofs.roots, "--root"), (proofs.lists, "--crl")):
            if given:
                raise UsageError(f"{option} is given without the certificates below it", "--certs DIR or FILE")
    if evidence.measure_data:
        if proofs.tik is None:
            raise UsageError(
                "a launch measurement needs its TIK",
                "--tik FILE: the TIK, or TEK and TIK, of the launch session",
            )
    elif proofs.tik is not None or proofs.debug_digest is not None:
        raise UsageError(f"a TIK and a debug digest are only for LAUNCH_MEASURE data, not for: {evidence.form}")


def verified(evidence: Evidence, proofs: VerificationInputs) -> Endorsement | None:
    """Verify the report or quote in evidence by the certificates given and those that came with it; None without any.

    Those that came with it are used alone only if a root is among them, or is given: without one they prove nothing.
    """
    in_collateral = proofs.collateral.certificates if proofs.collateral else ()
    if not evidence.verifiable or not (proofs.certificates or evidence.certificates or in_collateral):
        return None
    from catalog.endorse.certificates import parse_carried

    certificates = [*proofs.certificates, *in_collateral, *parse_carried(evidence.certificates)]
    if not proofs.certificates and not proofs.roots and not any(one.issuer == one.subject for one in certificates):
        return None
    if evidence.quote:
        return _verified_quote(evidence.quote, certificates, proofs)
    assert evidence.report is not None, "what is verifiable is one of the two"  # noqa: S101
    from catalog.endorse.endorsement import verify_report

    return verify_report(
        evidence.report, certificates, proofs.now, proofs.roots, proofs.lists, strict=proofs.require_verified
    )


def _verified_quote(quote: TdxQuote, certificates: Sequence[Certificate], proofs: VerificationInputs) -> Endorsement:
    from catalog.endorse.tdx.collateral import Collateral
    from catalog.endorse.tdx.quote_endorsement import verify_quote

    collateral = proofs.collateral or Collateral()
    strict = proofs.require_verified
    return verify_quote(quote, certificates, proofs.now, proofs.roots, proofs.lists, collateral, strict=strict)


def checked(evidence: Evidence, proofs: VerificationInputs) -> tuple[Finding, ...]:
    """The outcome of each check of a report or quote that is demanded."""
    if evidence.td and proofs.checks:
        return tuple(proofs.checks.check_td(evidence.td.report))
    return tuple(proofs.checks.check(evidence.report)) if evidence.report and proofs.checks else ()


def why_unverified(evidence: Evidence, endorsement: Endorsement | None, *, is_found: bool) -> str | None:
    """Why evidence does not count as verified; None if it does.

    A launch measurement is verified by its TIK. is_found: whether a digest was found that has it.
    """
    from catalog.abi.digest import LaunchDigest

    if evidence.measure_data:
        return None if is_found else "no known digest has this launch measurement"
    if evidence.claimed_by:
        return f"the digest is only stated by {evidence.claimed_by}, and nothing here proves it"
    if isinstance(evidence.value, LaunchDigest):
        return "a launch digest alone is not signed"
    if not evidence.verifiable:
        return f"ldcat verifies attestation reports of SEV-SNP and TDX quotes only, not: {evidence.form}"
    if any(note.code == _TWO_DIGESTS for note in evidence.notes):
        return "the input states two launch digests"
    if endorsement is None:
        return _no_certificates(evidence)
    return None if endorsement.verified else not_endorsed(evidence)


def not_endorsed(evidence: Evidence) -> str:
    """That certificates do not endorse evidence."""
    return f"the certificates do not endorse this {_name(evidence)}"


def _name(evidence: Evidence) -> str:
    return "quote" if evidence.quote else "report"


def not_verified(evidence: Evidence) -> str:
    """That a report or quote was not verified, and why: `verified` is None."""
    return f"not verified: {_no_certificates(evidence)}"


def _no_certificates(evidence: Evidence) -> str:
    if evidence.certificates:
        return f"no root is among the certificates that came with the {_name(evidence)}, and --certs gives none"
    return "no certificates are given"


def verification_dict(evidence: Evidence, endorsement: Endorsement | None, checks: Sequence[Finding]) -> dict[str, Any]:
    """`verification` of a report or quote in JSON. endorsement: None without certificates."""
    if endorsement is None:
        text = not_verified(evidence)
        findings: list[dict[str, Any]] = [{"code": "signature", "severity": WARNING, "passed": None, "text": text}]
    else:
        findings = [finding.to_dict() for finding in endorsement.findings]
    is_verified = endorsement is not None and endorsement.verified
    return {
        "verified": is_verified,
        "root": endorsement and endorsement.root,
        "root_trusted_by": endorsement and endorsement.trusted_by,
        "findings": [*findings, *(finding.to_dict() for finding in checks)],
        "certificates_at": [] if is_verified else [one.to_dict() for one in sources(evidence)],
    }


def sources(evidence: Evidence) -> list[CertificateSource]:
    """Where the certificates of a report, or the collateral of a quote are; empty for other evidence."""
    if evidence.quote:
        from catalog.endorse.tdx.pcs import collateral_sources

        return collateral_sources(evidence.certificates)
    from catalog.endorse.kds import certificate_sources

    return certificate_sources(evidence.report) if evidence.report else []
