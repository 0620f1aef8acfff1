"""OCI artifacts of exported files: a layer for each file and sidecar, and where their values are from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import LdcatError, UsageError, VerificationFailed
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export, Source
from catalog.export.oci_artifact import write_layout
from catalog.export.settings import GivenFile, Settings
from tests.support.exported_files import given_file
from tests.support.exports import SOURCE, export_of
from tests.support.oci import TITLE, tags

FORMAT = export_format_named("oci-layout")
TYPE = "application/vnd.ldcat.export.v1+json"


def about(*files: GivenFile, tag: str | None = None, source: Source = SOURCE) -> Export:
    return replace(export_of(settings=Settings(files=files, tag=tag)), source=source)


def folder_of(name: str, other: str) -> list[GivenFile]:
    """The two files of an exported folder."""
    one = given_file(name, others=[other])
    return [one, replace(one, name=other)]


def write(folder: Path, export: Export) -> str:
    assert FORMAT.artifact_type == TYPE
    return write_layout(folder, TYPE, FORMAT.files(export), export)


def blob(folder: Path, digest: str) -> bytes:
    return (folder / "blobs" / digest.replace(":", "/")).read_bytes()


def manifest(folder: Path, tag: str = "latest") -> Any:
    return json.loads(blob(folder, tags(folder)[tag]))


def test_every_file_and_sidecar_is_a_layer_by_its_name(tmp_path: Path) -> None:
    values, envelope = given_file("out/b.json"), given_file("a.dsse.json", b"{}", kind="in-toto")
    digest = write(tmp_path / "oci", about(values, envelope))
    said = manifest(tmp_path / "oci")
    assert said["artifactType"] == TYPE
    assert {one["annotations"][TITLE]: blob(tmp_path / "oci", one["digest"]) for one in said["layers"]} == {
        "a.dsse.json": envelope.data,
        "b.json": values.data,
        "a.dsse.json.ldcat.json": envelope.sidecar,
        "b.json.ldcat.json": values.sidecar,
    }
    kinds = ["application/vnd.dsse.envelope.v1+json", *["application/json"] * 3]
    assert [one["mediaType"] for one in said["layers"]] == kinds
    assert write(tmp_path / "other", about(envelope, values)) == digest


def test_the_manifest_says_where_the_values_are_from(tmp_path: Path) -> None:
    write(tmp_path, about(given_file("a")))
    assert manifest(tmp_path)["annotations"] == {
        "org.opencontainers.image.title": "catalog.example/sev",
        "org.opencontainers.image.version": "1",
        "vnd.ldcat.origin": "catalog.example/sev",
        "vnd.ldcat.release": "1",
        "vnd.ldcat.checkpoint": f"256 {'22' * 32}",
        "vnd.ldcat.manifest.sha256": "11" * 32,
    }


def test_a_local_catalog_has_no_release_to_name(tmp_path: Path) -> None:
    local = replace(SOURCE, origin=None, release=None, size=None, root=None)
    write(tmp_path, about(given_file("a", source=local), source=local))
    assert manifest(tmp_path)["annotations"] == {
        "org.opencontainers.image.title": "made-up",
        "vnd.ldcat.manifest.sha256": "11" * 32,
    }


def test_artifacts_with_other_tags_are_kept_and_an_equal_tag_is_moved(tmp_path: Path) -> None:
    one = write(tmp_path, about(given_file("a"), tag="one"))
    other = write(tmp_path, about(given_file("b")))
    assert tags(tmp_path) == {"one": one, "latest": other}
    moved = write(tmp_path, about(given_file("c"), tag="one"))
    assert tags(tmp_path) == {"latest": other, "one": moved}


def test_files_of_one_exported_folder_share_its_sidecar() -> None:
    one = given_file("a.textproto", kind="check", others=["b.textproto"])
    other = replace(one, name="b.textproto")
    layers = FORMAT.files(about(one, other))
    assert [layer.name for layer in layers] == ["a.textproto", "b.textproto", "ldcat-export.json"]


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ([], UsageError, "files that were exported before"),
        ([given_file("a", sidecar=None)], VerificationFailed, "has no sidecar"),
        ([*folder_of("a", "x"), *folder_of("b", "y")], UsageError, "files of two exported folders"),
        ([given_file("a"), *folder_of("a.ldcat.json", "x")], UsageError, "name of a file and of a sidecar"),
    ],
)
def test_files_that_cannot_be_in_one_artifact_are_refused(
    files: list[GivenFile], error: type[LdcatError], message: str
) -> None:
    with pytest.raises(error, match=message):
        FORMAT.files(about(*files))


@pytest.mark.parametrize("tag", [".", "a/b", "a b", "x" * 129, "\u00e9"])
def test_an_invalid_tag_is_refused_and_nothing_written(tmp_path: Path, tag: str) -> None:
    with pytest.raises(UsageError, match="no tag of an OCI artifact"):
        write(tmp_path, about(given_file("a"), tag=tag))
    assert not [*tmp_path.iterdir()]
