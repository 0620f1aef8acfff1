"""Writes the endorsed digests of a catalog, and the documents that say so."""

from __future__ import annotations

from pathlib import Path

from catalog.errors import UsageError
from catalog.spec.catalog_spec import CatalogSpec
from catalog.store import manifest
from catalog.store.endorsements import MAX_ENDORSED, document_name, endorsements_file
from catalog.store.manifest import FileEntry


def write_endorsed(folder: Path, spec: CatalogSpec) -> dict[str, FileEntry]:
    """Write the endorsed digests of a spec, if it has any; the manifest entries of the files.

    Raises UsageError for more than a reader accepts.
    """
    if not spec.endorsed:
        return {}
    data = endorsements_file(spec.endorsed)
    if len(data) > MAX_ENDORSED:
        raise UsageError(
            f"the endorsed digests have {len(data):,} bytes, more than {MAX_ENDORSED:,}", "import fewer documents"
        )
    (folder / manifest.ENDORSED_FOLDER).mkdir()
    (folder / manifest.ENDORSED).write_bytes(data)
    files = {manifest.ENDORSED: manifest.file_entry(folder / manifest.ENDORSED, data.count(b"\n"))}
    for sha256, document in spec.documents.items():
        (folder / document_name(sha256)).write_bytes(document)
        files[document_name(sha256)] = manifest.file_entry(folder / document_name(sha256))
    return files
