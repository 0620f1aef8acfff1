"""Findings: what `ldcat doctor` says of a published log, one by one: how bad, of what, what is so, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


class Severity(StrEnum):
    """error: who verifies the log is refused, or deceived. warning: soon, or by bad luck. note: to be known."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """subject: a key, a file, a part of the trust note. what, advice: a line each, without a stop."""

    severity: Severity
    subject: str
    what: str
    advice: str


def error(subject: str, what: str, advice: str) -> Finding:
    """What makes verification fail, or lets it be deceived."""
    return Finding(Severity.ERROR, subject, what, advice)


def warning(subject: str, what: str, advice: str) -> Finding:
    """What will be an error, or is one for some."""
    return Finding(Severity.WARNING, subject, what, advice)


def note(subject: str, what: str, advice: str) -> Finding:
    """What is right, and should be known."""
    return Finding(Severity.NOTE, subject, what, advice)


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Whether none of them is an error."""
    return all(finding.severity is not Severity.ERROR for finding in findings)


def span(seconds: int) -> str:
    """A time span for people, in the largest unit of which there are two at least."""
    unit, size = next((pair for pair in _UNITS if abs(seconds) >= 2 * pair[1]), _UNITS[-1])
    count = abs(seconds) // size
    return f"{count} {unit}{'' if count == 1 else 's'}"
