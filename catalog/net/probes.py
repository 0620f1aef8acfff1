"""Probes of a static host: one request for each file of a log that `ldcat doctor` checks, and its response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PROBE_ORIGIN = "https://ldcat.invalid"
"""Origin header of requests: some hosts send Access-Control-Allow-Origin only to requests that have one."""

_MORE = 1024
"""Bytes of a response that are read beyond the expected ones."""


class FileKind(StrEnum):
    """The kinds of files of a log that a host may treat differently; MISSING is a file that no log has."""

    CHECKPOINT = "checkpoint"
    TILE = "tile"
    ENTRIES = "entries"
    RELEASE = "release"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Probe:
    """A request for one file.

    path: below the URL.
    kind: what the file is.
    expected: the bytes that the folder has there.
    """

    path: str
    kind: FileKind
    expected: bytes = b""

    @property
    def subject(self) -> str:
        """The subject of findings: the file as served, not the file in the folder."""
        return f"served {self.path}"

    @property
    def at_most(self) -> int:
        """Bytes of the response to read."""
        return len(self.expected) + _MORE

    @property
    def encodings(self) -> str:
        """Value of the Accept-Encoding header: entries may come compressed."""
        return "gzip, identity" if self.kind is FileKind.ENTRIES else "identity"


@dataclass(frozen=True, slots=True)
class ProbeResponse:
    """A response, as received.

    status: the HTTP status.
    headers: by name in lower case; the values of a repeated header are joined by ", ".
    body: up to `Probe.at_most` bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
