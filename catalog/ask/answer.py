"""Answer: what a catalog says about evidence: matching configurations, verification by certificates, notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.report import AttestationReport
from catalog.ask.evidence import HCL_FORM, Evidence
from catalog.ask.launch_measure_search import MeasureQuestion, search
from catalog.ask.lookup import lookup
from catalog.ask.notes import FIRMWARE_NOT_PUBLIC, report_notes, sev_policy_notes
from catalog.errors import UsageError
from catalog.fast.match import CLAIMED, Match, shared_by, shared_digest
from catalog.fast.published import PublishedRelease
from catalog.launch.hashing.backends import HashBackend
from catalog.store.catalog import Catalog

if TYPE_CHECKING:  # cryptography takes long to load
    from cryptography import x509

    from catalog.abi.endorsement import Endorsement

IS_OF = "the measurement is of this digest, under this TIK"
NOT_VERIFIED = "not verified: no certificates are given"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to evidence.

    digest: None for a launch measurement of no known digest.
    matches: configurations that have the digest.
    endorsement: verification of a report; None without certificates.
    notes: about the evidence; each match has notes of its own.
    release: the release that was asked, if the catalog is published.
    catalog_notes: about parts of the catalog that this version of ldcat does not know.
    """

    evidence: Evidence
    digest: LaunchDigest | None
    matches: tuple[Match, ...]
    endorsement: Endorsement | None
    notes: tuple[str, ...]
    release: PublishedRelease | None = None
    catalog_notes: tuple[str, ...] = ()

    @property
    def report(self) -> AttestationReport | None:
        return self.evidence.report

    @property
    def refuted(self) -> bool:
        """True if certificates were given that do not endorse the report."""
        return self.endorsement is not None and not self.endorsement.verified

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat lookup` (docs/command-line.md); it never has anything of a TIK."""
        return {
            "found": bool(self.matches),
            "evidence": self.evidence.form,
            "launch_digest": self.digest and self.digest.hex(),
            "report": self.report and self.report.to_dict(),
            "verification": self.report and _verification(self.endorsement),
            "notes": [*self.notes, *self.catalog_notes],
            "release": self.release and self.release.to_dict(),
            "claims": list(CLAIMED) if self.matches else [],
            "matches": [match.to_dict() for match in self.matches],
        }

    def explained(self, digest: LaunchDigest, count: int) -> Answer:
        """The same answer, with the digest that was found. count: how many configurations have it."""
        of_measure = [IS_OF] if self.evidence.measure_data else []
        return replace(self, digest=digest, notes=(*self.notes, *of_measure, *shared_by(count)))


@dataclass(frozen=True, slots=True)
class VerificationInputs:
    """The inputs by which evidence is verified.

    certificates: chain of a report's signing key.
    roots: root certificates that are trusted besides AMD's.
    now: seconds since 1970.
    tik: the TIK of a launch measurement, 16 bytes.
    debug_digest: the launch digest that the host states; only a hint.
    """

    certificates: Sequence[x509.Certificate] = ()
    roots: Sequence[x509.Certificate] = ()
    now: float = 0
    tik: bytes | None = None
    debug_digest: LaunchDigest | None = None

    def __repr__(self) -> str:  # never the TIK
        return f"VerificationInputs({len(self.certificates)} certificates)"


def answer(
    catalog: Catalog,
    evidence: Evidence,
    proofs: VerificationInputs,
    backend: HashBackend,
    *,
    warn: Callable[[str], None],
    tried: Callable[[int], None],
) -> Answer:
    """Look up evidence in a catalog.

    warn: receives a line about a damaged index.
    tried: receives how many digests a launch measurement was compared with, part by part.

    Raises UsageError if `proofs` do not fit the evidence, and the errors of `Lookups.lookup`.
    """
    check_verification_inputs(evidence, proofs)
    if data := evidence.measure_data:
        assert proofs.tik is not None, "check_verification_inputs demands it"  # noqa: S101
        question = MeasureQuestion.of(data, proofs.tik)
        digest, notes = _find_measured(catalog, question, proofs.debug_digest, backend, tried)
        matches = lookup(catalog, digest, warn=warn) if digest else ()
        of_question = tuple(match for match in matches if match.technology == question.technology)
        all_notes = _all_notes(notes, of_question)
        return Answer(evidence, digest, of_question, None, all_notes, catalog.release, catalog.notes)
    endorsement = verified(evidence.report, proofs) if evidence.report else None
    return found_answer(catalog, evidence, endorsement, lambda digest: lookup(catalog, digest, warn=warn))


def found_answer(
    catalog: Catalog,
    evidence: Evidence,
    endorsement: Endorsement | None,
    find: Callable[[LaunchDigest], Sequence[Match]],
) -> Answer:
    """The answer to a digest or a report. find: returns every configuration with a digest."""
    digest, report = evidence.digest, evidence.report
    matches = tuple(find(digest))
    if report:
        matches = tuple(match for match in matches if match.technology == report.TECHNOLOGY)
    of_report = report_notes(report) if report else []
    if evidence.form == HCL_FORM and not matches:
        of_report.append(FIRMWARE_NOT_PUBLIC)
    notes = _all_notes(of_report, matches)
    return Answer(evidence, digest, matches, endorsement, notes, catalog.release, catalog.notes)


def answer_without_catalog(evidence: Evidence, proofs: VerificationInputs) -> Answer:
    """The answer to evidence without a catalog: whether it is verified, and notes.

    Raises UsageError if `proofs` do not fit the evidence, MalformedInput for an invalid policy.
    """
    check_verification_inputs(evidence, proofs)
    if report := evidence.report:
        return Answer(evidence, evidence.digest, (), verified(report, proofs), tuple(report_notes(report)))
    if data := evidence.measure_data:
        assert proofs.tik is not None, "check_verification_inputs demands it"  # noqa: S101
        return Answer(evidence, None, (), None, tuple(sev_policy_notes(MeasureQuestion.of(data, proofs.tik).policy)))
    return Answer(evidence, evidence.digest, (), None, ())


def check_verification_inputs(evidence: Evidence, proofs: VerificationInputs) -> None:
    """Raises UsageError if an input does not belong to this form of evidence, or a launch measurement has no TIK."""
    if (proofs.certificates or proofs.roots) and not evidence.report:
        raise UsageError(f"certificates are only for an attestation report, but this is: {evidence.form}")
    if proofs.roots and not proofs.certificates:
        raise UsageError("--root is given without the certificates below it", "--certs DIR or FILE")
    if evidence.measure_data:
        if proofs.tik is None:
            raise UsageError(
                "a launch measurement needs its TIK",
                "--tik FILE: the TIK, or TEK and TIK, of the launch session",
            )
    elif proofs.tik is not None or proofs.debug_digest is not None:
        raise UsageError(f"a TIK and a debug digest are only for LAUNCH_MEASURE data, but this is: {evidence.form}")


def verified(report: AttestationReport, proofs: VerificationInputs) -> Endorsement | None:
    """Verify a report by the certificates; None without certificates."""
    if not proofs.certificates:
        return None
    from catalog.abi.endorsement import verify_report

    return verify_report(report, proofs.certificates, proofs.now, proofs.roots)


def _find_measured(
    catalog: Catalog,
    question: MeasureQuestion,
    hint: LaunchDigest | None,
    backend: HashBackend,
    tried: Callable[[int], None],
) -> tuple[LaunchDigest | None, list[str]]:
    """The digest of the measurement, or None, and notes; the host's hint is tried first."""
    notes = sev_policy_notes(question.policy)
    if hint is not None:
        if question.matches(hint):
            return hint, [*notes, "the measurement is of the digest that the host gave, under this TIK"]
        notes.append("the measurement is not of the digest that the host gave, which is ignored")
    for found in search(catalog, question, backend, tried):
        return found, [*notes, IS_OF]
    return None, notes


def _all_notes(notes: Sequence[str], matches: Sequence[Match]) -> tuple[str, ...]:
    return (*notes, *shared_digest(matches))


def _verification(endorsement: Endorsement | None) -> dict[str, Any]:
    if endorsement is None:
        return {
            "verified": False,
            "root": None,
            "root_trusted_by": None,
            "findings": [{"check": "signature", "passed": None, "detail": NOT_VERIFIED}],
        }
    findings = [{"check": f.check, "passed": f.passed, "detail": f.detail} for f in endorsement.findings]
    return {
        "verified": endorsement.verified,
        "root": endorsement.root,
        "root_trusted_by": endorsement.trusted_by,
        "findings": findings,
    }
