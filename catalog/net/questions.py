"""Questions for a static host, one a file of a log, and its answers as they came: status, headers, bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ASKING_ORIGIN = "https://ldcat.invalid"
"""As whose page is asked: some hosts say who may read only where they are told who does."""

_MORE = 1024
"""Bytes that are read of an answer beyond those that are expected."""


class Kind(StrEnum):
    """What a file of a log is to a host."""

    CHECKPOINT = "checkpoint"
    TILE = "tile"
    ENTRIES = "entries"
    RELEASE = "release"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Question:
    """path: below the URL. expected: the bytes that the folder has there."""

    path: str
    kind: Kind
    expected: bytes = b""

    @property
    def subject(self) -> str:
        """Of findings: not the file of the folder, but what comes for it."""
        return f"served {self.path}"

    @property
    def at_most(self) -> int:
        """Bytes of the answer to read."""
        return len(self.expected) + _MORE

    @property
    def encodings(self) -> str:
        """For Accept-Encoding: entries may come compressed."""
        return "gzip, identity" if self.kind is Kind.ENTRIES else "identity"


@dataclass(frozen=True, slots=True)
class Answer:
    """headers: by name in lower case; the values of one that comes twice with a comma between them."""

    status: int
    headers: Mapping[str, str]
    body: bytes
