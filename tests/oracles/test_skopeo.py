"""Against skopeo: it copies the OCI layouts of a release and of exported files, and every byte arrives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.export.export_format import export_format_named
from catalog.export.oci_artifact import write_layout
from catalog.export.settings import Settings
from catalog.publish.oci_release import write_release
from catalog.store.catalog import Catalog
from tests.support.exported_files import given_file
from tests.support.exports import export_of
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
    assert tags(layout) == {"1": digest, "latest": digest}
    check_copied(layout, copied, digest, "application/vnd.ldcat.release.v1")


def test_skopeo_copies_exported_files(tmp_path: Path) -> None:
    export = export_of(settings=Settings(files=(given_file("a.json"), given_file("b.dsse.json", b"{}"))))
    one = export_format_named("oci-layout")
    kind = str(one.artifact_type)
    digest = write_layout(tmp_path / "oci", kind, one.files(export), export)
    check_copied(tmp_path / "oci", tmp_path / "copied", digest, kind)


def check_copied(layout: Path, copied: Path, digest: str, kind: str) -> None:
    manifest = skopeo("inspect", "--raw", f"oci:{layout}:latest")
    assert json.loads(manifest)["artifactType"] == kind
    skopeo("--insecure-policy", "copy", f"oci:{layout}:latest", f"oci:{copied}:mine")
    assert tags(copied) == {"mine": digest}
    for folder in (layout, copied):
        assert (folder / "blobs" / digest.replace(":", "/")).read_bytes() == manifest
    assert {path.name for path in (copied / "blobs/sha256").iterdir()} == {
        path.name for path in (layout / "blobs/sha256").iterdir()
    }
