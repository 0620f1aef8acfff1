"""Catalogs with endorsed digests, made for tests from catalogs that have none."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from catalog.build.builder import BuildResult
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store import manifest
from catalog.store.endorsements import document_name, endorsements_file

DOCUMENT = b"a document"
DOCUMENT_SHA256 = hashlib.sha256(DOCUMENT).hexdigest()
"""Of the document that the records of such a catalog may name."""


def with_endorsed(built: BuildResult, folder: Path, records: Iterable[EndorsedRecord]) -> BuildResult:
    """A copy of a catalog that has these endorsed digests, too."""
    shutil.copytree(built.folder, folder)
    every = tuple(records)
    files = {manifest.ENDORSED: endorsements_file(every)}
    if any(one.document_sha256 for one in every):
        files[document_name(DOCUMENT_SHA256)] = DOCUMENT
    entries = dict(manifest.parse_manifest((folder / manifest.NAME).read_bytes()).files)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        entries[name] = manifest.file_entry(path)
    entries[manifest.ENDORSED] = msgspec.structs.replace(entries[manifest.ENDORSED], rows=len(set(every)))
    listed = msgspec.structs.replace(built.manifest, files=dict(sorted(entries.items())))
    (folder / manifest.NAME).write_bytes(listed.to_json())
    return BuildResult(folder, listed, built.example, 0)
