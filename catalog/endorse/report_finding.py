"""Finding: the outcome of one check of an attestation report, with a code that stays the same."""

from __future__ import annotations

from catalog.notes import DANGER, INFO, OK
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.endorse.certificate import Certificate


class Finding(Value):
    """One check.

    code: stays the same between versions; docs/notes.md lists all.
    passed: None for information that does not decide anything.
    text: a sentence for people, which may change.
    """

    code: str
    passed: bool | None
    text: str

    @property
    def severity(self) -> str:
        """As of a note."""
        return INFO if self.passed is None else OK if self.passed else DANGER

    def to_dict(self) -> dict[str, str | bool | None]:
        """The finding in JSON."""
        return {"code": self.code, "severity": self.severity, "passed": self.passed, "text": self.text}


def validity_finding(certificate: Certificate, name: str, now: float) -> Finding:
    """Whether a certificate is valid. name: what the text calls it. now: seconds since 1970."""
    start, end = certificate.not_before, certificate.not_after
    if now < start.seconds:
        return Finding("validity", False, f"the {name} is not yet valid: it is valid from {start.day} to {end.day}")
    if now > end.seconds:
        return Finding("validity", False, f"the {name} has expired: it was valid from {start.day} to {end.day}")
    return Finding("validity", True, f"the {name} is valid from {start.day} to {end.day}")
