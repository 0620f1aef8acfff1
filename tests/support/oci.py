"""OCI image layouts as a client reads them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

TAG, TITLE = "org.opencontainers.image.ref.name", "org.opencontainers.image.title"


def tags(layout: Path) -> dict[str, str]:
    """The digest of the manifest of each tag."""
    index = json.loads((layout / "index.json").read_bytes())
    return {one["annotations"][TAG]: one["digest"] for one in index["manifests"]}


def unpacked(layout: Path, tag: str, out: Path) -> list[str]:
    """Extract the layers of a tag to a folder, one after the other; gives their titles."""

    def blob(digest: str) -> bytes:
        return (layout / "blobs" / digest.replace(":", "/")).read_bytes()

    layers = json.loads(blob(tags(layout)[tag]))["layers"]
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) as archive:
            assert {(one.mode, one.uid, one.uname, one.mtime) for one in archive} == {(0o644, 0, "", 0)}
            archive.extractall(out, filter="data")
    return [layer["annotations"][TITLE] for layer in layers]
