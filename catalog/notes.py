"""Note: what a reader of an answer must know, with a code that stays the same; docs/notes.md lists all codes."""

from __future__ import annotations

OK, INFO, WARNING, DANGER = SEVERITIES = ("ok", "info", "warning", "danger")
"""Severities, the least first."""

CODES = {
    "debug-allowed": DANGER,
    "key-info-unknown": WARNING,
    "migration-agent-allowed": WARNING,
    "platform-bit-unknown": INFO,
    "policy-bit-unknown": WARNING,
    "product-unknown": INFO,
    "report-field-unknown": WARNING,
    "report-version-unknown": INFO,
    "requested-by-host": WARNING,
    "reserved-not-zero": INFO,
    "signature-algorithm-unknown": WARNING,
    "signed-by-vlek": INFO,
    "tcb-layout-unknown": WARNING,
    "vmpl-above-0": INFO,
    "vmpl-unknown": WARNING,
}
"""Severity of each code."""


class Note:
    """A note. code: one of CODES. text: a sentence for people, which may change between versions.

    Raises KeyError for a code that is not in CODES.
    """

    __slots__ = ("code", "severity", "text")

    def __init__(self, code: str, text: str) -> None:
        self.code, self.severity, self.text = code, CODES[code], text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Note) and (self.code, self.text) == (other.code, other.text)

    def __hash__(self) -> int:
        return hash((self.code, self.text))

    def __repr__(self) -> str:
        return f"Note({self.code!r}, {self.text!r})"

    def to_dict(self) -> dict[str, str]:
        """The note in JSON."""
        return {"code": self.code, "severity": self.severity, "text": self.text}


def worst_first(notes: list[Note]) -> list[Note]:
    """Notes by severity, danger first; those of one severity stay in order."""
    return sorted(notes, key=lambda note: -SEVERITIES.index(note.severity))
