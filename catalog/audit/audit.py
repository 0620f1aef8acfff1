"""Audit: each claim of a catalog or a release checked against the bytes that are there; all findings, not one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.operate.finding import Severity

RULES = {
    "manifest": "the manifest is written in its one form",
    "file": "each file has the size and the SHA-256 that the manifest says",
    "tree": "the Merkle tree beside a file is that of the file, and has the digest that the manifest says",
    "link": "there are no symbolic links, which are not followed",
    "unlisted": "there are no files that the manifest does not list",
    "table": "launch digests are tables of the columns that a catalog has, as many rows as the manifest says",
    "order": "rows are sorted by their digests, and stand in the part that the first bits of these say",
    "component": "rows name components that the catalog has",
    "names": "what a lookup shows of components is what their records say, byte for byte",
    "follows": "hashes, columns and counts that follow from others are what follows from these",
    "unique": "equal inputs have one launch digest, and are there once",
    "index": "the index leads from each digest to the inputs of its row",
    "digest": "each launch digest is what comes out of its inputs",
    "profile": "VMM profiles are those that are embedded here",
    "image": "an image has the component that is recorded of it",
    "log": "the log is signed, whole, and goes by its rules",
    "record": "release records, and the revocations that they name, follow from the leaves before them",
    "release": "the log names this manifest for the release",
    "leaf": "each row is a leaf of the log",
    "known": "this version of ldcat knows every technology and type of record, and so checks them",
}
"""What is claimed, by the name of what finds out."""


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """rule: of RULES. subject: a file, a component, a row. evidence: one line: what is there instead."""

    severity: Severity
    rule: str
    subject: str
    evidence: str

    @property
    def claim(self) -> str:
        """What does not hold."""
        return RULES[self.rule]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "severity": self.severity.value,
            "rule": self.rule,
            "subject": self.subject,
            "claim": self.claim,
            "evidence": self.evidence,
        }


def wrong(rule: str, subject: str, evidence: str) -> AuditFinding:
    """Something that is not what it claims to be."""
    return AuditFinding(Severity.ERROR, rule, subject, evidence)


def unchecked(subject: str, why: str) -> AuditFinding:
    """Something of a later version of ldcat; nothing holds that was not checked."""
    return wrong("known", subject, f"not checked: {why}")


def odd(rule: str, subject: str, evidence: str) -> AuditFinding:
    """Something that may be right, and somebody should look at."""
    return AuditFinding(Severity.WARNING, rule, subject, evidence)


def holds(findings: Sequence[AuditFinding]) -> bool:
    """Whether nothing is wrong."""
    return all(finding.severity is not Severity.ERROR for finding in findings)
