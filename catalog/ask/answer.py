"""Answer: what a catalog says about evidence: matching configurations, verification by certificates, notes."""

from __future__ import annotations

from catalog.abi.digest import SNP_DIGEST_SIZE
from catalog.ask.evidence_notes import FIRMWARE_NOT_PUBLIC, notes_on
from catalog.ask.verification import checked, not_endorsed, verification_dict, verified, why_unverified
from catalog.errors import VerificationFailed
from catalog.evidence.evidence import HCL_FORM
from catalog.fast.match import CLAIMED, shared_by, shared_digest
from catalog.fast.match_text import ENDORSED, NOT_FOUND, REVOKED, exit_code
from catalog.notes import Note, worst_first
from catalog.relate.relations import NOT_RELATED
from catalog.values import Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:  # what takes long to load is imported where it is needed: a lookup with a match does without it
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from catalog.abi.digest import LaunchDigest
    from catalog.abi.report import AttestationReport
    from catalog.ask.found_endorsements import FoundEndorsement, MinSvn
    from catalog.ask.verification import VerificationInputs
    from catalog.endorse.endorsement import Endorsement
    from catalog.endorse.report_finding import Finding
    from catalog.evidence.evidence import Evidence
    from catalog.fast.match import Match
    from catalog.fast.published import PublishedRelease
    from catalog.relate.relations import RelatedDigests
    from catalog.store.catalog import Catalog

CLAIMED_OF_INFERRED = tuple(
    f"inferred.{name}"
    for name in ("base.name", "base.vcpus", "base.endorser", "vcpus", "vmm_title", "vcpu_types", "notes")
)
"""As CLAIMED. The vCPUs of a row that follows from a base rest on those that its publisher states."""

CLAIMED_OF_ENDORSED = ("endorsements.endorser", "endorsements.claims")
"""As CLAIMED."""

IS_OF = Note("measurement-matches", "the measurement is of this digest, under this TIK")


class Answer(Value):
    """The answer to evidence.

    digest: None for a launch measurement of no known digest.
    matches: configurations that have the digest, and whose firmware is known.
    inferred: rows that have the digest and were folded from a published one: their firmware is not known.
    endorsements: who endorses the digest, and what is claimed.
    reported: where the digest was seen; nobody endorses it there.
    related: known digests of which it is the same launch with another number of vCPUs; searched only if no row has
    the digest.
    asked: the endorsers of the catalog, short; empty if a row has the digest.
    firmware_of: who published the firmware of its rows, if related digests were searched.
    endorsement: verification of a report or quote; None without certificates.
    checks: the outcome of each check of a report that was demanded.
    require_verified: whether evidence that is not verified is refused.
    notes: about the evidence; each match has notes of its own.
    release: the release that was asked, if the catalog is published.
    catalog_notes: about parts of the catalog that this version of ldcat does not know.
    """

    evidence: Evidence
    digest: LaunchDigest | None
    matches: tuple[Match, ...]
    endorsement: Endorsement | None
    notes: tuple[Note, ...]
    release: PublishedRelease | None = None
    catalog_notes: tuple[Note, ...] = ()
    inferred: tuple[Match, ...] = ()
    endorsements: tuple[FoundEndorsement, ...] = ()
    reported: tuple[FoundEndorsement, ...] = ()
    related: RelatedDigests = NOT_RELATED
    asked: tuple[str, ...] = ()
    firmware_of: tuple[str, ...] = ()
    checks: tuple[Finding, ...] = ()
    require_verified: bool = False

    @property
    def exit_code(self) -> int:
        """Exit code of a lookup: 4 if the evidence is refused, else `found_code`."""
        return VerificationFailed.exit_code if self.refused else self.found_code

    @property
    def found_code(self) -> int:
        """What was found: 0 a known configuration, 10 endorsed or inferred alone, 1 neither.

        7 if all that was found is revoked, or if --min-svn refuses every endorsement of a feed.
        """
        feeds = [(one.refused, one.record.endorser.feed) for one in self.endorsements]
        feeds += [(row.refused, row.base["endorser"]["feed"]) for row in self.inferred if row.base]
        if {feed for refused, feed in feeds if refused} - {feed for refused, feed in feeds if not refused}:
            return REVOKED
        if self.matches:
            return exit_code([match.revocation and match.revocation[0] for match in self.matches])
        severities = [match.revocation and match.revocation[0] for match in self.inferred]
        found = exit_code([*severities, *(one.severity for one in self.endorsements)])
        return ENDORSED if found == 0 else found

    @property
    def found(self) -> bool:
        """Whether the catalog has a configuration with the digest; it may be revoked: see `exit_code`."""
        return bool(self.matches)

    @property
    def verified(self) -> bool:
        """Whether certificates endorse the report or quote; False without certificates, and for other evidence."""
        return self.endorsement is not None and self.endorsement.verified

    def __iter__(self) -> Iterator[Match]:
        return iter(self.matches)

    def __getitem__(self, index: int) -> Match:
        return self.matches[index]

    def __len__(self) -> int:
        return len(self.matches)

    def __repr__(self) -> str:
        known = "unknown" if self.digest is None else self.digest.hex()
        count = "1 match" if len(self) == 1 else f"{len(self)} matches"
        return (
            f"<Answer to {self.evidence.form}: digest {known}, {count}, exit code {self.exit_code}"
            f"{', verified' if self.verified else ''}>"
        )

    @property
    def report(self) -> AttestationReport | None:
        return self.evidence.report

    @property
    def refused(self) -> str | None:
        """Why the evidence is refused: it is not verified, or a check failed. None if it is not refused."""
        if self.endorsement is not None and self.endorsement.failed:
            return not_endorsed(self.evidence)
        if failed := [finding.code for finding in self.checks if not finding.passed]:
            what = "report" if self.report else self.evidence.form
            return f"the {what} does not meet what was demanded: {', '.join(failed)}"
        if not self.require_verified:
            return None
        why = why_unverified(self.evidence, self.endorsement, is_found=self.digest is not None)
        return why and f"verification was demanded: {why}"

    def check_demands(self) -> None:
        """Raises VerificationFailed if the evidence is refused."""
        if self.refused:
            raise VerificationFailed(self.refused, self._what_to_do())

    def _what_to_do(self) -> str | None:
        """The hint if the evidence is refused."""
        findings = (*(self.endorsement.findings if self.endorsement else ()), *self.checks)
        if failed := dict.fromkeys(finding.code for finding in findings if finding.passed is False):
            return f"what failed: {', '.join(failed)}"
        if self.evidence.verifiable:
            return "give its certificates with --certs: see above where they are"
        return None if self.evidence.measure_data else "ask for the attestation report, and give it with --certs"

    @property
    def may_be_related(self) -> bool:
        """Whether it is worth searching related digests: it may be of SEV-SNP, and no row has it."""
        if self.digest is None or len(self.digest.value) != SNP_DIGEST_SIZE or self.matches or self.inferred:
            return False
        published = {one.record.technology for one in (*self.endorsements, *self.reported)}
        return self.evidence.technology in (None, "sev-snp") and "tdx" not in published

    def found_dict(self) -> dict[str, Any]:
        """What the catalog has of the digest, in JSON."""
        return {
            "matches": [match.to_dict() for match in self.matches],
            "inferred": [row.to_dict() for row in self.inferred],
            "endorsements": [one.to_dict() for one in self.endorsements],
            "reported": [one.to_dict() for one in self.reported],
        }

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat lookup` (docs/command-line.md); it never has anything of a TIK."""
        return {
            "found": self.found,
            "evidence": self.evidence.form,
            "claimed_by": self.evidence.claimed_by,
            "launch_digest": self.digest and self.digest.hex(),
            "report": self.report and self.report.to_dict(),
            "sev_report": self.evidence.sev_report and self.evidence.sev_report.to_dict(),
            "id_block": self.evidence.id_block and self.evidence.id_block.to_dict(),
            "tdx": self.evidence.td and self.evidence.td.to_dict(),
            "verification": verification_dict(self.evidence, self.endorsement, self.checks)
            if self.evidence.verifiable
            else None,
            "refused": self.refused,
            "notes": [note.to_dict() for note in worst_first([*self.notes, *self.catalog_notes])],
            "release": self.release and self.release.to_dict(),
            "claims": self._claims(),
            **self.found_dict(),
            "related": [one.to_dict() for one in self.related.relations],
            "asked": {"firmware_of": list(self.firmware_of), "endorsers": list(self.asked)},
        }

    def _claims(self) -> list[str]:
        """Names of the fields that follow from no hash."""
        of_rows = [*(CLAIMED if self.matches else ()), *(CLAIMED_OF_INFERRED if self.inferred else ())]
        return [*of_rows, *(CLAIMED_OF_ENDORSED if self.endorsements else ())]

    def parts(self) -> Iterator[dict[str, Any]]:
        """Everything that is known of the digest, one object each: matches, then others with a `type`."""
        yield from (match.to_dict() for match in self.matches)
        yield from ({"type": "inferred", **row.to_dict()} for row in self.inferred)
        yield from ({"type": "endorsed", **one.to_dict()} for one in self.endorsements)
        yield from ({"type": "reported", **one.to_dict()} for one in self.reported)
        yield from ({"type": "related", **one.to_dict()} for one in self.related.relations)

    def explained(self, digest: LaunchDigest, count: int) -> Answer:
        """The same answer, with the digest that was found. count: how many configurations have it."""
        of_measure = [IS_OF] if self.evidence.measure_data else []
        return replace(self, digest=digest, notes=(*self.notes, *of_measure, *shared_by(count)))


def found_answer(
    catalog: Catalog,
    evidence: Evidence,
    proofs: VerificationInputs,
    find: Callable[[LaunchDigest], Sequence[Match]],
) -> Answer:
    """The answer to a digest or a report, without related digests. find: returns every row with a digest."""
    about = _about(evidence, proofs, catalog.release, catalog.notes)
    reply = with_found(catalog, about, evidence.technology, find, proofs.min_svn)
    if evidence.form.startswith(HCL_FORM) and reply.found_code == NOT_FOUND:
        return replace(reply, notes=(*reply.notes, FIRMWARE_NOT_PUBLIC))
    return reply


def matched_answer(
    evidence: Evidence, proofs: VerificationInputs, rows: Sequence[Match], release: PublishedRelease | None
) -> Answer:
    """The answer to a digest or a report of which nothing but rows is known, all of known firmware.

    rows: every row with the digest.
    release: the release that was asked, of which there is no note; None if the catalog is not published.
    """
    about = _about(evidence, proofs, release, ())
    return _matched(about, [row for row in rows if evidence.technology in (None, row.technology)], ())


def _about(
    evidence: Evidence, proofs: VerificationInputs, release: PublishedRelease | None, notes: tuple[Note, ...]
) -> Answer:
    about = Answer(evidence, evidence.digest, (), verified(evidence, proofs), tuple(notes_on(evidence)), release, notes)
    return demanding(about, proofs)


def demanding(reply: Answer, proofs: VerificationInputs) -> Answer:
    """The same answer, with what is demanded of its evidence."""
    return replace(reply, checks=checked(reply.evidence, proofs), require_verified=proofs.require_verified)


def with_found(
    catalog: Catalog,
    about: Answer,
    technology: str | None,
    find: Callable[[LaunchDigest], Sequence[Match]],
    min_svn: MinSvn,
) -> Answer:
    """An answer with what the catalog has of its digest. technology: of the evidence; None for any."""
    assert about.digest is not None, "callers have one"  # noqa: S101
    rows = [row for row in find(about.digest) if technology in (None, row.technology)]
    records = [one for one in catalog.endorsements.of(about.digest.value) if technology in (None, one.technology)]
    reply = _matched(about, rows, () if rows else catalog.endorsements.endorsers(len(about.digest.value)))
    if not records and len(reply.matches) == len(rows):
        return reply
    from catalog.ask.found_endorsements import found_endorsement, is_reported, resting_on_base

    found = [found_endorsement(one, catalog, rows, min_svn) for one in records]
    return replace(
        reply,
        inferred=tuple(resting_on_base(row, catalog.endorsements, min_svn) for row in rows if row.inferred),
        endorsements=tuple(one for one in found if not is_reported(one.record)),
        reported=tuple(one for one in found if is_reported(one.record)),
    )


def _matched(about: Answer, rows: Sequence[Match], asked: tuple[str, ...]) -> Answer:
    """An answer with the rows of known firmware. asked: the endorsers of the catalog, if there are no rows."""
    matches = tuple(row for row in rows if not row.inferred)
    return replace(about, matches=matches, asked=asked, notes=(*about.notes, *shared_digest(matches)))
