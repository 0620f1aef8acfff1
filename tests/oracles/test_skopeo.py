"""Against skopeo: it copies the OCI layout of a release, and every byte arrives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.publish.oci_release import write_release
from catalog.store.catalog import Catalog
from tests.support.oci import tags
from tests.support.published_logs import Publisher


def skopeo(*arguments: str) -> bytes:
    if shutil.which("skopeo") is None:
        (pytest.fail if os.environ.get("LDCAT_REQUIRE_ORACLES") else pytest.skip)("skopeo is not installed")
    return subprocess.run(["skopeo", *arguments], check=True, capture_output=True).stdout


def test_skopeo_copies_a_release(publisher: Publisher, small: BuildResult, tmp_path: Path) -> None:
    layout, copied = tmp_path / "oci", tmp_path / "copied"
    names = Catalog.open(small.folder).manifest.files
    digest = write_release(publisher.log, layout, publisher.publish(small), names)
    manifest = skopeo("inspect", "--raw", f"oci:{layout}:1")
    assert json.loads(manifest)["artifactType"] == "application/vnd.ldcat.release.v1"
    skopeo("--insecure-policy", "copy", f"oci:{layout}:latest", f"oci:{copied}:mine")
    assert tags(copied) == {"mine": digest}
    for folder in (layout, copied):
        assert (folder / "blobs" / digest.replace(":", "/")).read_bytes() == manifest
    assert {path.name for path in (copied / "blobs/sha256").iterdir()} == {
        path.name for path in (layout / "blobs/sha256").iterdir()
    }
