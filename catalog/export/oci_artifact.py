"""Writes an export to an OCI image layout, as an artifact that says which release its values are of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from catalog.errors import UsageError
from catalog.export.exported import Export, ExportFile, Source
from catalog.publish.oci_layout import TITLE, Layer, write_artifact

VERSION = "org.opencontainers.image.version"
ORIGIN = "vnd.ldcat.origin"
RELEASE = "vnd.ldcat.release"
CHECKPOINT = "vnd.ldcat.checkpoint"
MANIFEST = "vnd.ldcat.manifest.sha256"

DEFAULT_TAG = "latest"
_TAG = re.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""Tags of the OCI distribution specification."""


def write_layout(folder: Path, kind: str, files: Sequence[ExportFile], export: Export) -> str:
    """Add an artifact to a layout, or make the layout; gives the digest of its manifest. kind: the artifact type.

    Raises UsageError for an invalid tag, and as `write_artifact`.
    """
    tag = export.settings.tag or DEFAULT_TAG
    if _TAG.fullmatch(tag) is None:
        raise UsageError(f"{tag[:80]!r} is no tag of an OCI artifact", "letters, digits, '_', '.' and '-', at most 128")
    layers = [Layer(file.name, file.media_type, file.chunks) for file in files]
    return write_artifact(folder, layers, kind=kind, annotations=source_annotations(export.source), tags=(tag,))


def source_annotations(source: Source) -> dict[str, str]:
    """What a manifest says of where its values are from; the checkpoint: size of the tree, and its root in hex."""
    found = {TITLE: source.origin or source.catalog, MANIFEST: source.manifest_sha256}
    if source.origin is None:
        return found
    release, checkpoint = str(source.release), f"{source.size} {source.root}"
    return {**found, VERSION: release, ORIGIN: source.origin, RELEASE: release, CHECKPOINT: checkpoint}
