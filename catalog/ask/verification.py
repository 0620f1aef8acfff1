"""Verification: the inputs by which evidence is verified, and what it comes to."""

from __future__ import annotations

from catalog.errors import MalformedInput, UsageError
from catalog.notes import INFO
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # cryptography takes long to load
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from catalog.abi.digest import LaunchDigest
    from catalog.endorse.certificate import Certificate
    from catalog.endorse.endorsement import Endorsement
    from catalog.evidence.evidence import Evidence

NOT_VERIFIED = "not verified: no certificates are given"


_ANY_SVN: Mapping[str, int] = {}


class VerificationInputs(Value):
    """The inputs by which evidence is verified.

    certificates: chain of a report's signing key.
    roots: root certificates that are trusted besides AMD's.
    now: seconds since 1970.
    tik: the TIK of a launch measurement, 16 bytes.
    debug_digest: the launch digest that the host states; only a hint.
    min_svn: the least SVN by feed: endorsements with a lower one, or with none, are refused.
    """

    certificates: Sequence[Certificate] = ()
    roots: Sequence[Certificate] = ()
    now: float = 0
    tik: bytes | None = None
    debug_digest: LaunchDigest | None = None
    min_svn: Mapping[str, int] = _ANY_SVN

    def __repr__(self) -> str:  # never the TIK
        return f"VerificationInputs({len(self.certificates)} certificates)"


def check_verification_inputs(evidence: Evidence, proofs: VerificationInputs) -> None:
    """Raises UsageError if an input does not belong to this form of evidence, or a launch measurement has no TIK."""
    if (proofs.certificates or proofs.roots) and not evidence.report:
        raise UsageError(f"certificates are only for an attestation report, but this is: {evidence.form}")
    if proofs.roots and not (proofs.certificates or evidence.certificates):
        raise UsageError("--root is given without the certificates below it", "--certs DIR or FILE")
    if evidence.measure_data:
        if proofs.tik is None:
            raise UsageError(
                "a launch measurement needs its TIK",
                "--tik FILE: the TIK, or TEK and TIK, of the launch session",
            )
    elif proofs.tik is not None or proofs.debug_digest is not None:
        raise UsageError(f"a TIK and a debug digest are only for LAUNCH_MEASURE data, but this is: {evidence.form}")


def verified(evidence: Evidence, proofs: VerificationInputs) -> Endorsement | None:
    """Verify the report in evidence by the certificates given and those that came with it; None without any.

    Those that came with it are used alone only if a root is among them: without one they can prove nothing.
    """
    if not evidence.report or not (proofs.certificates or evidence.certificates):
        return None
    certificates = [*proofs.certificates, *_carried(evidence)]
    if not proofs.certificates and not any(one.issuer_name == one.subject_name for one in certificates):
        return None
    from catalog.endorse.endorsement import verify_report

    return verify_report(evidence.report, certificates, proofs.now, proofs.roots)


def _carried(evidence: Evidence) -> Iterator[Certificate]:
    """The certificates that came with evidence, without those that are invalid."""
    from catalog.endorse.certificate import Certificate

    for der in evidence.certificates:
        try:
            certificate = Certificate.parse(der)
        except MalformedInput:
            continue
        yield certificate


def verification_dict(endorsement: Endorsement | None) -> dict[str, Any]:
    """`verification` of a report in JSON; None: without certificates."""
    if endorsement is None:
        return {
            "verified": False,
            "root": None,
            "root_trusted_by": None,
            "findings": [{"code": "signature", "severity": INFO, "passed": None, "text": NOT_VERIFIED}],
        }
    return {
        "verified": endorsement.verified,
        "root": endorsement.root,
        "root_trusted_by": endorsement.trusted_by,
        "findings": [finding.to_dict() for finding in endorsement.findings],
    }
