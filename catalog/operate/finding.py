"""Findings of `ldcat doctor` about a published log: severity, subject, problem and advice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is.

    ERROR: verification of the log fails, or can be deceived.
    WARNING: it will, or may under some conditions.
    NOTE: information.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding.

    severity: how bad it is.
    subject: a key, a file, a part of the trust note.
    what: the problem, one line without a full stop.
    advice: what to do, one line without a full stop.
    """

    severity: Severity
    subject: str
    what: str
    advice: str


def error(subject: str, what: str, advice: str) -> Finding:
    """A finding about something that makes verification fail, or lets it be deceived."""
    return Finding(Severity.ERROR, subject, what, advice)


def warning(subject: str, what: str, advice: str) -> Finding:
    """A finding about something that will be an error, or is one for some clients."""
    return Finding(Severity.WARNING, subject, what, advice)


def note(subject: str, what: str, advice: str) -> Finding:
    """A finding about something that is right, for information."""
    return Finding(Severity.NOTE, subject, what, advice)


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Whether no finding is an error."""
    return all(finding.severity is not Severity.ERROR for finding in findings)
