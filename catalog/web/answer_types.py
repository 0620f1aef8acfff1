"""Types that several answers of the service share: bytes and notes in JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]

Severity = Literal["ok", "info", "warning", "danger"]


class NoteAnswer(msgspec.Struct):
    """What a reader must know. code, severity: stay the same between versions (docs/notes.md). text: may change."""

    code: str
    severity: Severity
    text: str
