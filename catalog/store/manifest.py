"""The manifest: SHA-256 and size of every file of a catalog, and what it was built from; no time and no host name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from catalog.errors import MalformedRecord
from catalog.fast import verity
from catalog.launch.hashing.backends import PYTHON, HashBackend, sha256_implementations
from catalog.launch.hashing.compiled import sha256_pages
from catalog.launch.technology import technologies
from catalog.wire import Wire, decode_json

_FEW = 64
"""Blocks: as many are hashed sooner by hashlib than an engine is chosen."""

NAME = "manifest.json"
FORMAT = "ldcat-catalog/2"

INDEX = "launch_digests.index"
"""Name of the index in the folder of a technology; the Parquet parts beside it are named by `part_names`."""

FIRMWARE = "components/firmware.parquet"
LAUNCHABLE = "components/launchable.parquet"
KERNEL_HASHES = "components/kernel_hashes.parquet"
BASES = "components/bases.parquet"
"""Only in a catalog that has bases."""

NAMES = "components/names"
VCPU_TYPES = "components/vcpu_types.toml"
SPEC = "components/spec.json"
VMM_FOLDER = "components/vmm"

TDX = "tdx"
TDX_FIRMWARE = f"{TDX}/firmware.parquet"
"""The TDX facts of builds; in a catalog with rows of TDX alone, as all files of this folder."""

ENDORSED_FOLDER = "endorsements"
ENDORSED = f"{ENDORSED_FOLDER}/endorsed.jsonl"
"""Endorsed digests, if the catalog has any. Beside it are the documents that say so, each named by its SHA-256."""


_CHUNK = 1 << 20

Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 48)]

FileName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")]
"""Path of a file below the catalog's folder. It cannot leave that folder: a fetched catalog is written by these names.
"""

TechnologyName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]+\Z")]
"""Name of a technology, which is also the name of its folder in the catalog."""


class FileEntry(Wire, frozen=True):
    """A file of the catalog.

    sha256: lower-case hex.
    size: bytes.
    rows: of a Parquet file.
    fsverity: fs-verity digest in hex, of files that are read in parts; their Merkle tree is a file beside them.
    """

    sha256: str
    size: Count
    rows: Count | None = None
    fsverity: str | None = None


class TechnologyEntry(Wire, frozen=True):
    """A technology of the catalog.

    digest_size: bytes of a launch digest.
    rows: launch configurations that the catalog answers for.
    parts: Parquet files, a power of two; each has the digests whose first bits are its number. 0 if the index keeps
    distinguished digests only.
    """

    digest_size: Count
    rows: Count
    parts: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]


class LeftOutEntry(Wire, frozen=True):
    """Points of the cross product that are not in the catalog, counted by technology, build and reason."""

    technology: str
    firmware: str
    reason: str
    points: int


class Manifest(Wire, frozen=True):
    """The contents of manifest.json. files: by path relative to the catalog; the spec and all components included."""

    format: str
    name: str
    generator: str
    technologies: dict[TechnologyName, TechnologyEntry]
    files: dict[FileName, FileEntry]
    left_out: list[LeftOutEntry]

    @property
    def known(self) -> dict[str, TechnologyEntry]:
        """The technologies that this version of ldcat knows; the rows of others are not used."""
        return {name: entry for name, entry in self.technologies.items() if name in technologies()}

    @property
    def unknown(self) -> dict[str, TechnologyEntry]:
        """Technologies of a later version of ldcat."""
        return {name: entry for name, entry in self.technologies.items() if name not in technologies()}

    @property
    def rows(self) -> int:
        """Number of rows of the known technologies."""
        return sum(entry.rows for entry in self.known.values())

    def asked(self, *, at_most: int) -> list[str]:
        """The files with at most so many bytes that any lookup may read besides rows and an index."""
        asked = (FIRMWARE, LAUNCHABLE, KERNEL_HASHES, BASES, VCPU_TYPES, ENDORSED, TDX_FIRMWARE)
        found = [*self.profiles, *(name for name in self.files if name in asked)]
        return [name for name in found if self.files[name].size <= at_most]

    def beside_indexes(self, *, at_most: int) -> list[str]:
        """The files with at most so many bytes that an index is read with."""
        indexes = (f"{technology}/{INDEX}" for technology in self.technologies)
        names = {NAMES, *map(names_file, self.known)}
        found = (*names, *(f"{name}{verity.SUFFIX}" for name in (*names, *indexes)))
        return [name for name in found if name in self.files and self.files[name].size <= at_most]

    @property
    def profiles(self) -> list[str]:
        """The files of VMM profiles."""
        folders = (f"{VMM_FOLDER}/", *(f"{vmm_folder(name)}/" for name in self.known))
        return [name for name in self.files if name.startswith(folders)]

    def to_json(self) -> bytes:
        """Canonical text: keys sorted, indented by two spaces, a newline at the end."""
        compact = msgspec.json.encode(self, order="sorted")
        return msgspec.json.format(compact, indent=2) + b"\n"


class CatalogFiles(Protocol):
    """A catalog whose files are verified as they are read."""

    @property
    def manifest(self) -> Manifest:
        """The manifest of the catalog."""

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of manifest.json, in hex."""

    def verified(self, name: str) -> bytes:
        """The verified bytes of a file."""


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest; raises MalformedRecord if it is invalid or of another format."""
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
    """Whether all parts of a technology are listed, and their rows add up to its rows."""
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


def vmm_folder(technology: str) -> str:
    """The folder of the VMM profiles of a technology that is known."""
    return f"{technology}/vmm" if technologies()[technology].keeps_components else VMM_FOLDER


def names_file(technology: str) -> str:
    """The file of the component names of a technology that is known."""
    return f"{technology}/names" if technologies()[technology].keeps_components else NAMES


def file_entry(path: Path, rows: int | None = None) -> FileEntry:
    """The manifest entry of a file on disk. rows: for a Parquet file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(sha256=sha256, size=path.stat().st_size, rows=rows)


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in chunks of 1 MiB: whole fs-verity blocks."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


class VerityHashes:
    """The hashes of a file that is read in parts, made from its bytes as they are written."""

    def __init__(self, backend: HashBackend) -> None:
        self._backend = backend
        self._whole, self._size = hashlib.sha256(), 0
        self._leaves: list[bytes] = []

    def add(self, chunk: bytes | memoryview) -> None:
        """The next bytes of the file. Each chunk but the last is whole blocks of 4096 bytes."""
        self._whole.update(chunk)
        self._leaves.append(block_hashes(chunk, self._backend.sha256))
        self._size += len(chunk)

    def finished(self, *, rows: int | None = None) -> tuple[FileEntry, bytes]:
        """The manifest entry of the file, and its Merkle tree, which belongs in a file beside it."""
        root, tree = verity.merkle_tree(b"".join(self._leaves), hashlib.sha256)
        digest = verity.file_digest(root, self._size, hashlib.sha256).hex()
        return FileEntry(sha256=self._whole.hexdigest(), size=self._size, rows=rows, fsverity=digest), tree


def verity_entries(
    folder: Path, name: str, chunks: Iterable[bytes | memoryview], backend: HashBackend, *, rows: int | None = None
) -> dict[str, FileEntry]:
    """The manifest entries of a file that is read in parts, and of its Merkle tree, which is written beside it.

    chunks: the contents of the file, as VerityHashes takes them.
    """
    hashes = VerityHashes(backend)
    for chunk in chunks:
        hashes.add(chunk)
    entry, tree = hashes.finished(rows=rows)
    beside = name + verity.SUFFIX
    (folder / beside).write_bytes(tree)
    return {name: entry, beside: bytes_entry(tree)}


def bytes_entry(data: bytes) -> FileEntry:
    """The manifest entry of a file with these bytes."""
    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def block_hashes(chunk: bytes | memoryview, sha256: str | None = None) -> bytes:
    """As verity.leaf_hashes, of one chunk. sha256: the implementation; by default one for so many blocks."""
    view, whole = memoryview(chunk), len(chunk) - len(chunk) % verity.BLOCK
    few = whole < _FEW * verity.BLOCK
    chosen = sha256 or (PYTHON if few else sha256_implementations()[0])
    if chosen == PYTHON:
        return verity.leaf_hashes([view], hashlib.sha256)
    return sha256_pages(chosen, view[:whole]) + verity.leaf_hashes([view[whole:]], hashlib.sha256)
