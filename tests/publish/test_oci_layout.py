"""OCI image layouts: what is in them, that they are replaced as a whole, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import LdcatError, MalformedRecord, Unreadable, UsageError
from catalog.publish import oci_layout
from catalog.publish.oci_layout import Layer, write_artifact
from tests.support.oci import tags

EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of `{}`, as the specification lists it


def layer(title: str, data: bytes) -> Layer:
    return Layer(title, "text/plain", lambda: [data[:3], data[3:]])


def write(folder: Path, *layers: Layer, tags: tuple[str, ...] = ("1", "latest")) -> str:
    return write_artifact(folder, layers, kind="application/x-test", annotations={"a": "b"}, tags=tags)


def index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
    return found


def blobs(folder: Path) -> dict[str, bytes]:
    """Every blob by its name, which is its hash."""
    found = {path.name: path.read_bytes() for path in (folder / "blobs/sha256").iterdir()}
    assert {hashlib.sha256(data).hexdigest() for data in found.values()} == set(found)
    return found


def test_an_artifact_is_what_image_spec_1_1_says(tmp_path: Path) -> None:
    digest = write(tmp_path / "out", layer("x.txt", b"one file"), layer("y.txt", b""))
    assert json.loads((tmp_path / "out/oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    manifest = blobs(tmp_path / "out")[digest.removeprefix("sha256:")]
    assert json.loads(manifest) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/x-test",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": f"sha256:{EMPTY}", "size": 2},
        "layers": [
            {
                "mediaType": "text/plain",
                "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
                "size": len(data),
                "annotations": {"org.opencontainers.image.title": title},
            }
            for title, data in (("x.txt", b"one file"), ("y.txt", b""))
        ],
        "annotations": {"a": "b"},
    }
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/x-test",
        "digest": digest,
        "size": len(manifest),
    }
    assert index(tmp_path / "out") == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**entry, "annotations": {"org.opencontainers.image.ref.name": tag}} for tag in ("1", "latest")],
    }
    assert len(blobs(tmp_path / "out")) == 4


def test_a_tag_moves_and_only_blobs_that_nothing_names_are_removed(tmp_path: Path) -> None:
    shared, old, new = layer("s", b"shared"), layer("x", b"old"), layer("x", b"new")
    first = write(tmp_path, shared, old)
    second = write(tmp_path, shared, new, tags=("2", "latest"))
    assert tags(tmp_path) == {"1": first, "2": second, "latest": second}
    assert {b"shared", b"old", b"new", b"{}"} <= {*blobs(tmp_path).values()}
    third = write(tmp_path, shared, new, tags=("1",))
    assert (third, tags(tmp_path)) == (second, {"2": second, "latest": second, "1": second})
    assert b"old" not in blobs(tmp_path).values()
    assert first.removeprefix("sha256:") not in blobs(tmp_path)


@pytest.mark.parametrize("tag", ["1", "latest"])
def test_a_tag_of_an_artifact_of_another_type_is_left_alone(tmp_path: Path, tag: str) -> None:
    """Such as that of a release, whose blobs would be removed with its last tag."""
    write(tmp_path, layer("x", b"release"))
    before = index(tmp_path), blobs(tmp_path)

    def other(*tags: str) -> str:
        return write_artifact(tmp_path, [layer("x", b"export")], kind="application/x-y", annotations={}, tags=tags)

    with pytest.raises(UsageError, match=f"the tag {tag} of .* is of an artifact of another type, 'application/x-test"):
        other("2", tag)
    assert (index(tmp_path), blobs(tmp_path)) == before
    other("2")
    assert [*tags(tmp_path)] == ["1", "latest", "2"]


def test_equal_input_gives_equal_bytes_however_often_it_is_written(tmp_path: Path) -> None:
    for _ in range(2):
        write(tmp_path / "a", layer("x", b"old"), tags=("1", "latest"))
        write(tmp_path / "a", layer("x", b"new"), tags=("2", "latest"))
    write(tmp_path / "b", layer("x", b"old"), tags=("1", "latest"))
    write(tmp_path / "b", layer("x", b"new"), tags=("2", "latest"))
    assert blobs(tmp_path / "a") == blobs(tmp_path / "b")
    assert tags(tmp_path / "a") == tags(tmp_path / "b")


def test_a_damaged_blob_is_written_again(tmp_path: Path) -> None:
    write(tmp_path, layer("x", b"whole"))
    path = tmp_path / "blobs/sha256" / hashlib.sha256(b"whole").hexdigest()
    path.write_bytes(b"while")
    write(tmp_path, layer("x", b"whole"))
    assert path.read_bytes() == b"whole"


def test_what_other_programs_put_there_is_kept(tmp_path: Path) -> None:
    write(tmp_path, layer("x", b"old"))
    other = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{'0' * 64}", "size": 7, "x": 1}
    foreign = index(tmp_path)
    foreign["manifests"].append(other)
    foreign["annotations"] = {"by": "somebody"}
    (tmp_path / "index.json").write_text(json.dumps(foreign))
    write(tmp_path, layer("x", b"new"))
    assert index(tmp_path)["annotations"] == {"by": "somebody"}
    assert other in index(tmp_path)["manifests"]
    assert b"old" in blobs(tmp_path).values()  # the other index may name it


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"manifests": [{"mediaType": "x", "digest": "sha256:../../etc/passwd"}]}',
        '{"manifests": [{"mediaType": "x", "digest": "sha256:' + "0" * 64 + '", "annotations": {"a": 1}}]}',
        '{"manifests": ' + "[" * 100_000,
    ],
)
def test_an_index_that_is_none_is_refused_and_kept(text: str, tmp_path: Path) -> None:
    write(tmp_path, layer("x", b"old"))
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(MalformedRecord, match=r"index\.json"):
        write(tmp_path, layer("x", b"new"))
    assert (tmp_path / "index.json").read_text() == text


def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"letter\.txt.*not part of an OCI layout"):
        write(tmp_path, layer("x", b"1"))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(LdcatError, match="not a directory"):
        write(tmp_path / "letter.txt", layer("x", b"1"))


def test_blobs_that_are_of_no_layout_are_left_alone(tmp_path: Path) -> None:
    """Such as those of another store: the blobs that no manifest names would be removed."""
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    (tmp_path / "blobs/sha256/letter").write_text("dear")
    with pytest.raises(UsageError, match="is no OCI layout: oci-layout is missing"):
        write(tmp_path, layer("x", b"1"))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["letter"]


def test_an_interrupted_layout_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("_described", "_read_index", "_remove_others"):
        with monkeypatch.context() as patch:
            patch.setattr(oci_layout, name, killed)
            with pytest.raises(KeyboardInterrupt):
                write(tmp_path, layer("x", b"1"))
    assert tags(tmp_path)["latest"] == write(tmp_path, layer("x", b"1"))


def test_a_manifest_that_is_missing_removes_nothing(tmp_path: Path) -> None:
    old = write(tmp_path, layer("x", b"old"), tags=("1",))
    (tmp_path / "blobs/sha256" / old.removeprefix("sha256:")).unlink()
    new = write(tmp_path, layer("x", b"new"), tags=("2",))
    assert tags(tmp_path) == {"1": old, "2": new}
    assert b"old" in blobs(tmp_path).values()


def test_what_changes_while_it_is_read_is_not_published(tmp_path: Path) -> None:
    write(tmp_path, layer("x", b"old"))
    before = index(tmp_path)
    reads = iter([b"first", b"other"])

    def chunks() -> Iterator[bytes]:
        yield next(reads)

    with pytest.raises(Unreadable, match="x changed while it was read"):
        write(tmp_path, Layer("x", "text/plain", chunks))
    assert index(tmp_path) == before
    assert b"other" not in blobs(tmp_path).values()


def test_a_manifest_that_no_registry_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oci_layout, "MAX_MANIFEST", 1000)
    with pytest.raises(UsageError, match="9 layers are too many"):
        write(tmp_path, *(layer(f"x{number}", b"x") for number in range(9)))
    assert not (tmp_path / "index.json").exists()
