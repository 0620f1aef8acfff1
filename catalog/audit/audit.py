"""Audit: check each claim of a catalog or a release against its bytes. All faults are reported, not only the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from catalog.operate.finding import Severity

RULES = {
    "manifest": "the manifest is in its canonical form",
    "file": "each file has the size and the SHA-256 that the manifest says",
    "tree": "the Merkle tree of a file is right, and has the digest that the manifest says",
    "link": "there are no symbolic links, which are not followed",
    "unlisted": "there are no files that the manifest does not list",
    "table": "launch digests are tables with the right columns, and with as many rows as the manifest says",
    "order": "rows are sorted by their digests, and are in the part that the first bits of their digests determine",
    "component": "rows name components that the catalog has",
    "names": "a lookup shows components as their records describe them, byte for byte",
    "follows": "hashes, columns and counts that follow from other data are right",
    "endorsed": "endorsed digests are as their documents say, and no endorser contradicts itself",
    "unique": "no two rows have equal inputs",
    "index": "the index leads from each digest to the inputs of its row",
    "digest": "each launch digest follows from its inputs",
    "profile": "VMM profiles are those of this version of ldcat",
    "image": "the component of an image is the one that is recorded",
    "log": "the log is signed and complete, and follows its rules",
    "record": "release records, and the revocations that they name, follow from the leaves before them",
    "release": "the log names this manifest for the release",
    "leaf": "each row and each endorsed digest is a leaf of the log",
    "known": "this version of ldcat knows every technology and type of record, and so checks them",
}
"""The claims, by the name of the rule that checks them. They are listed in docs/audit.md."""


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """A claim that does not hold, or may not.

    severity: how bad it is.
    rule: a key of RULES.
    subject: a file, a component, a row.
    evidence: what was found instead, in one line.
    """

    severity: Severity
    rule: str
    subject: str
    evidence: str

    @property
    def claim(self) -> str:
        """The claim that does not hold."""
        return RULES[self.rule]

    def to_dict(self) -> dict[str, Any]:
        """A finding in the JSON of `ldcat audit` (docs/command-line.md)."""
        return {
            "severity": self.severity.value,
            "rule": self.rule,
            "subject": self.subject,
            "claim": self.claim,
            "evidence": self.evidence,
        }


@dataclass(slots=True)
class Audited:
    """What an audit looked at; None is what there is not, or what could not be read.

    catalog, manifest_sha256: name of the catalog, and what it is identified by.
    origin, release, leaves: the log, number of the release, number of leaves.
    trust_version: of the trust note that the log was checked against.
    rows: number of rows in the catalog.
    recomputed: number of rows whose digests were recomputed and compared.
    """

    catalog: str | None = None
    manifest_sha256: str | None = None
    origin: str | None = None
    release: int | None = None
    leaves: int | None = None
    trust_version: int | None = None
    rows: int | None = None
    recomputed: int = 0

    def count_recomputed(self, rows: int) -> None:
        """Count rows whose digests were recomputed."""
        self.recomputed += rows

    def to_dict(self) -> dict[str, Any]:
        """The member `audited` in the JSON of `ldcat audit` (docs/command-line.md)."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def wrong(rule: str, subject: str, evidence: str) -> AuditFinding:
    """A finding about a claim that does not hold: an error."""
    return AuditFinding(Severity.ERROR, rule, subject, evidence)


def unchecked(subject: str, why: str) -> AuditFinding:
    """A finding about something of a later version of ldcat: an error, because it could not be checked."""
    return wrong("known", subject, f"not checked: {why}")


def odd(rule: str, subject: str, evidence: str) -> AuditFinding:
    """A finding about something that may be right, and that somebody should look at: a warning."""
    return AuditFinding(Severity.WARNING, rule, subject, evidence)


def holds(findings: Sequence[AuditFinding]) -> bool:
    """Whether no finding is an error."""
    return all(finding.severity is not Severity.ERROR for finding in findings)
