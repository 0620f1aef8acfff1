"""An OCI image layout: artifacts as blobs named by their SHA-256, and an index of tags (OCI image-spec 1.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from catalog.errors import Unreadable, UsageError
from catalog.fast.beneath import walk
from catalog.files import inputs
from catalog.files.writer import is_partial, opened, placed, remove, sync_folder
from catalog.log.log_folder import LOCK, LogFolder
from catalog.wire import decode_json

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
TAG = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"

INDEX = "index.json"
VERSION = "oci-layout"
BLOBS = "blobs/sha256"

MAX_MANIFEST = 4 << 20
"""Bytes of a manifest or an index: what registries take at least (OCI distribution-spec)."""

_EMPTY = b"{}"
_OURS = (INDEX, VERSION, "blobs", LOCK)


@dataclass(frozen=True, slots=True)
class Layer:
    """A file of an artifact.

    title: its name, by which clients save it.
    media_type: of its bytes.
    chunks: gives all its bytes whenever it is called.
    """

    title: str
    media_type: str
    chunks: Callable[[], Iterable[bytes]]


class _Descriptor(msgspec.Struct):
    """What this module reads of a descriptor; all of it is kept."""

    mediaType: str  # noqa: N815 - as the specification spells it
    digest: Annotated[str, msgspec.Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]
    annotations: dict[str, str] = {}


class _Manifest(msgspec.Struct):
    config: _Descriptor
    layers: list[_Descriptor]


class _Index(msgspec.Struct):
    manifests: list[_Descriptor]


def write_artifact(
    folder: Path, layers: Sequence[Layer], *, kind: str, annotations: Mapping[str, str], tags: Sequence[str]
) -> str:
    """Add an artifact to a layout, or make the layout, and give the digest of its manifest; equal input, equal bytes.

    A tag moves from the manifest that had it, unless that is of another type. Blobs that no manifest names any more are
    removed. The index is replaced last, so a reader sees the layout before or after; the file that says that this is a
    layout is written first.

    kind: the artifact type.
    annotations: of the manifest.
    Raises UsageError for a folder with anything else in it, a tag of an artifact of another type, too many layers, and
    while another process writes it; MalformedRecord for an index that is none; Unreadable.
    """
    check_folder(folder)
    layout = LogFolder(folder)
    with layout.locked():
        check_tags(folder, kind, tags)
        layout.clear()
        index = _read_index(layout)
        layout.write([(VERSION, _json({"imageLayoutVersion": "1.0.0"}))])
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": kind,
            "config": _described(EMPTY_TYPE, _EMPTY),
            "layers": [_stored(layout, layer) for layer in layers],
            "annotations": dict(annotations),
        }
        data = _json(manifest)
        if len(data) > MAX_MANIFEST:
            raise UsageError(f"{len(layers):,} layers are too many for a registry")
        found = _described(MANIFEST_TYPE, data)
        kept = [one for one in index["manifests"] if one.get("annotations", {}).get(TAG) not in tags]
        named = [{**found, "artifactType": kind, "annotations": {TAG: tag}} for tag in tags]
        index["manifests"] = [*kept, *named]
        layout.write([(_blob(found["digest"]), data), (_blob(_digest(_EMPTY)), _EMPTY)])
        layout.write([(INDEX, _json(index))])
        _remove_others(layout)
    return str(found["digest"])


def check_folder(folder: Path) -> None:
    """Raises UsageError for a folder that has anything in it but an OCI layout; Unreadable."""
    try:
        names = [path.name for path in folder.iterdir()] if inputs.exists(folder) else []
    except OSError as error:
        raise inputs.unreadable(folder, error) from error
    for name in names:
        if name not in _OURS and not is_partial(name):
            raise UsageError(
                f"{folder} holds {name!r}, which is not part of an OCI layout", "name a new or empty folder"
            )
    if "blobs" in names and VERSION not in names:  # it is written first
        raise UsageError(
            f"{folder} has blobs, but is no OCI layout: {VERSION} is missing", "name a new or empty folder"
        )


def check_tags(folder: Path, kind: str, tags: Sequence[str]) -> None:
    """Raises UsageError if a tag is of an artifact of another type, whose blobs would be removed with its last tag.

    MalformedRecord for an index that is none; Unreadable.
    """
    for one in _read_index(LogFolder(folder))["manifests"]:
        tag, other = one.get("annotations", {}).get(TAG), one.get("artifactType", kind)
        if tag in tags and other != kind:
            raise UsageError(
                f"the tag {tag} of {folder} is of an artifact of another type, {str(other)[:60]!r}",
                "name another folder, or give another tag",
            )


def _read_index(layout: LogFolder) -> dict[str, Any]:
    """The index as it is, also what this module does not know of it; a new one if there is none."""
    if not layout.has(INDEX):
        return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}
    data, what = layout.read(INDEX, MAX_MANIFEST), f"{layout.root / INDEX}"
    decode_json(data, _Index, what)
    return decode_json(data, dict[str, Any], what)


def _stored(layout: LogFolder, layer: Layer) -> dict[str, Any]:
    """The descriptor of a layer, whose blob is written unless it is there."""
    hashed, size = hashlib.sha256(), 0
    for chunk in layer.chunks():
        hashed.update(chunk)
        size += len(chunk)
    name = hashed.hexdigest()
    path = layout.root / BLOBS / name
    try:
        if not (layout.size(f"{BLOBS}/{name}") == size and inputs.hash_file(path, regular=True) == hashed.digest()):
            with opened(layout.root, BLOBS) as folder:
                with placed(folder, name) as file:
                    again = hashlib.sha256()
                    for chunk in layer.chunks():
                        again.update(chunk)
                        file.write(chunk)
                    if again.digest() != hashed.digest():
                        raise Unreadable(f"{layer.title} changed while it was read", "run the command again")
                sync_folder(folder)
    except OSError as error:
        raise inputs.unreadable(path, error) from error
    found = {"mediaType": layer.media_type, "digest": f"sha256:{name}", "size": size}
    return {**found, "annotations": {TITLE: layer.title}}


def _remove_others(layout: LogFolder) -> None:
    """Remove the blobs that no manifest of the index names; none if it names anything but manifests that are there."""
    named = set()
    for entry in decode_json(layout.read(INDEX, MAX_MANIFEST), _Index, INDEX).manifests:
        path = _blob(entry.digest)
        if entry.mediaType != MANIFEST_TYPE or not layout.has(path):
            return
        manifest = decode_json(layout.read(path, MAX_MANIFEST), _Manifest, path)
        named |= {_blob(one.digest) for one in (entry, manifest.config, *manifest.layers)}
    try:
        for path, _ in list(walk(layout.root, BLOBS)):
            if path not in named:
                remove(layout.root, path)
    except OSError as error:
        raise inputs.unreadable(layout.root / BLOBS, error) from error


def _described(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(digest: str) -> str:
    return f"{BLOBS}/{digest.removeprefix('sha256:')}"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
