"""Type of a note in the JSON of the service."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["ok", "info", "warning", "danger"]


class NoteAnswer(msgspec.Struct):
    """What a reader must know. code, severity: stay the same between versions (docs/notes.md). text: may change."""

    code: str
    severity: Severity
    text: str
