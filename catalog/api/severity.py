"""The severities of notes."""

from __future__ import annotations

from enum import StrEnum

from catalog import notes


class Severity(StrEnum):
    """Severity of a note, the least first; docs/notes.md has the codes of each."""

    OK = notes.OK
    INFO = notes.INFO
    WARNING = notes.WARNING
    DANGER = notes.DANGER
