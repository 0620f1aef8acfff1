"""The manifest: every file of a catalog by SHA-256 and size, and what it was made from. No time, no host."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec

from catalog.errors import MalformedRecord
from catalog.wire import Wire, decode_json

NAME = "manifest.json"
FORMAT = "ldcat-catalog/1"

DIGESTS = "launch_digests.parquet"
"""File of a technology's folder."""

FIRMWARE = "components/firmware.parquet"
LAUNCHABLE = "components/launchable.parquet"
KERNEL_HASHES = "components/kernel_hashes.parquet"
VCPU_TYPES = "components/vcpu_types.toml"
SPEC = "components/spec.json"
VMM_FOLDER = "components/vmm"


Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 48)]

TechnologyName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]+\Z")]
"""The name of a folder of the catalog, too."""


class FileEntry(Wire, frozen=True):
    """A file of the catalog: SHA-256 in hex, size in bytes; rows for Parquet files."""

    sha256: str
    size: Count
    rows: Count | None = None


class TechnologyEntry(Wire, frozen=True):
    """A technology of the catalog: bytes of its launch digests, and how many rows it has."""

    digest_size: Count
    rows: Count


class LeftOutEntry(Wire, frozen=True):
    """Points of the cross product that are not in the catalog."""

    technology: str
    firmware: str
    reason: str
    points: int


class Manifest(Wire, frozen=True):
    """What manifest.json says. files: by path relative to the catalog; the inputs are among them."""

    format: str
    name: str
    generator: str
    technologies: dict[TechnologyName, TechnologyEntry]
    files: dict[str, FileEntry]
    left_out: list[LeftOutEntry]

    def to_json(self) -> bytes:
        """Canonical text: keys sorted, two blanks of indent, a newline at the end."""
        compact = msgspec.json.encode(self, order="sorted")
        return msgspec.json.format(compact, indent=2) + b"\n"


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest; raises MalformedRecord for anything that is not one of this format."""
    manifest = decode_json(text, Manifest, NAME)
    if manifest.format != FORMAT:
        raise MalformedRecord(f"{NAME}: format {manifest.format!r} is not {FORMAT!r}")
    listed = {name: entry.rows for name, entry in manifest.files.items() if name.endswith(f"/{DIGESTS}")}
    counted = {f"{name}/{DIGESTS}": entry.rows for name, entry in manifest.technologies.items()}
    if not counted or listed != counted:
        raise MalformedRecord(f"{NAME}: technologies and files of launch digests disagree")
    return manifest


def file_entry(path: Path, rows: int | None = None) -> FileEntry:
    """The entry of a file as it is on disk."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(sha256=sha256, size=path.stat().st_size, rows=rows)
