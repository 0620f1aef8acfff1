"""The manifest: every file of a catalog by SHA-256 and size, and what it was made from. No time, no host."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from catalog.errors import MalformedRecord
from catalog.fast import verity
from catalog.launch.hashing.backends import PYTHON, HashBackend
from catalog.launch.hashing.compiled import sha256_pages
from catalog.launch.technology import technologies
from catalog.wire import Wire, decode_json

NAME = "manifest.json"
FORMAT = "ldcat-catalog/2"

INDEX = "launch_digests.index"
"""File of a technology's folder; beside it the Parquet parts, named by `part_names`."""

FIRMWARE = "components/firmware.parquet"
LAUNCHABLE = "components/launchable.parquet"
KERNEL_HASHES = "components/kernel_hashes.parquet"
NAMES = "components/names"
VCPU_TYPES = "components/vcpu_types.toml"
SPEC = "components/spec.json"
VMM_FOLDER = "components/vmm"


_CHUNK = 1 << 20

Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 48)]

FileName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")]
"""Of a file below the catalog, and nowhere else: whoever fetches a catalog writes files of these names."""

TechnologyName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]+\Z")]
"""The name of a folder of the catalog, too."""


class FileEntry(Wire, frozen=True):
    """A file of the catalog: SHA-256 in hex, size in bytes; rows for Parquet files.

    fsverity: in hex, for files that are read in parts; their Merkle tree is a file beside them.
    """

    sha256: str
    size: Count
    rows: Count | None = None
    fsverity: str | None = None


class TechnologyEntry(Wire, frozen=True):
    """A technology of the catalog: bytes of its launch digests, how many rows it has, in how many Parquet parts.

    A part has the digests that begin with its number; the number of parts is a power of two. There is none where the
    index keeps distinguished digests only; rows are then the configurations that it answers for.
    """

    digest_size: Count
    rows: Count
    parts: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]


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
    files: dict[FileName, FileEntry]
    left_out: list[LeftOutEntry]

    @property
    def known(self) -> dict[str, TechnologyEntry]:
        """The technologies that this version of ldcat knows: rows of others are not used."""
        return {name: entry for name, entry in self.technologies.items() if name in technologies()}

    @property
    def unknown(self) -> dict[str, TechnologyEntry]:
        """Technologies of a later version of ldcat."""
        return {name: entry for name, entry in self.technologies.items() if name not in technologies()}

    @property
    def rows(self) -> int:
        """How many rows of known technologies there are."""
        return sum(entry.rows for entry in self.known.values())

    def to_json(self) -> bytes:
        """Canonical text: keys sorted, two blanks of indent, a newline at the end."""
        compact = msgspec.json.encode(self, order="sorted")
        return msgspec.json.format(compact, indent=2) + b"\n"


class CatalogFiles(Protocol):
    """A catalog whose files are verified as they are read."""

    @property
    def manifest(self) -> Manifest:
        """What it has."""

    @property
    def manifest_sha256(self) -> str:
        """In hex."""

    def verified(self, name: str) -> bytes:
        """The bytes of a file."""


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest; raises MalformedRecord for anything that is not one of this format."""
    manifest = decode_json(text, Manifest, NAME)
    if manifest.format != FORMAT:
        raise MalformedRecord(f"{NAME}: format {manifest.format!r} is not {FORMAT!r}")
    if NAME in manifest.files:
        raise MalformedRecord(f"{NAME}: it lists itself")
    entries = manifest.technologies
    if not entries or not all(_complete(manifest, name, entry) for name, entry in entries.items()):
        raise MalformedRecord(f"{NAME}: technologies and files of launch digests disagree")
    return manifest


def _complete(manifest: Manifest, technology: str, entry: TechnologyEntry) -> bool:
    """Whether all parts of a technology are listed, and have its rows."""
    index = manifest.files.get(f"{technology}/{INDEX}")
    if index is None or index.fsverity is None:
        return False
    if not entry.parts:
        return True
    parts = [manifest.files.get(name) for name in part_names(technology, entry.parts)]
    rows = [part.rows for part in parts if part and part.rows is not None]
    return len(rows) == entry.parts == 1 << (entry.parts - 1).bit_length() and sum(rows) == entry.rows


def part_names(technology: str, parts: int) -> list[str]:
    """The Parquet files of a technology, in the order of their digests."""
    if parts == 0:
        return []
    if parts == 1:
        return [f"{technology}/launch_digests.parquet"]
    width = len(str(parts - 1))
    return [f"{technology}/launch_digests-{number:0{width}}.parquet" for number in range(parts)]


def file_entry(path: Path, rows: int | None = None) -> FileEntry:
    """The entry of a file as it is on disk."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(sha256=sha256, size=path.stat().st_size, rows=rows)


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in chunks of whole blocks."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def verity_entries(
    folder: Path, name: str, chunks: Iterable[bytes | memoryview], backend: HashBackend, *, rows: int | None = None
) -> dict[str, FileEntry]:
    """The entries of a file that is read in parts, and of its Merkle tree, which is written beside it.

    chunks: what is in the file, each of whole blocks but the last.
    """
    whole, size = hashlib.sha256(), 0
    leaves = []
    for chunk in chunks:
        whole.update(chunk)
        leaves.append(_leaf_hashes(chunk, backend))
        size += len(chunk)
    root, tree = verity.merkle_tree(b"".join(leaves), hashlib.sha256)
    digest = verity.file_digest(root, size, hashlib.sha256).hex()
    beside = name + verity.SUFFIX
    (folder / beside).write_bytes(tree)
    return {
        name: FileEntry(sha256=whole.hexdigest(), size=size, rows=rows, fsverity=digest),
        beside: file_entry(folder / beside),
    }


def _leaf_hashes(chunk: bytes | memoryview, backend: HashBackend) -> bytes:
    if backend.sha256 == PYTHON:
        return verity.leaf_hashes([chunk], hashlib.sha256)
    whole = len(chunk) - len(chunk) % verity.BLOCK
    return sha256_pages(backend.sha256, chunk[:whole]) + verity.leaf_hashes([chunk[whole:]], hashlib.sha256)
