"""`ldcat publish --oci`: the layers of a release, unpacked in one folder, are a log that a guest owner verifies."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import Unreadable, UsageError
from catalog.log.log_folder import CHECKPOINT
from catalog.publish import oci_release
from catalog.publish.oci_layout import write_artifact
from catalog.publish.oci_release import GROUP, write_release
from catalog.publish.publish import Published
from catalog.store.catalog import Catalog
from catalog.transparency.tiles import TileReader
from tests.support.cli import Run
from tests.support.logs import NOW, WITNESS, MemoryLog, new_files, signature
from tests.support.oci import tags, unpacked
from tests.support.published_logs import Publisher
from tests.support.records import leaves_of
from tests.support.trust_notes import trust_note


def write(publisher: Publisher, published: Published, built: BuildResult, out: Path) -> str:
    return write_release(publisher.log, out, published, Catalog.open(built.folder).manifest.files)


def test_a_guest_verifies_what_was_pulled(
    run: Run, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    key, log, trust = tmp_path / "key", tmp_path / "log", tmp_path / "trust"
    vkey = run("keygen", "example.com/digests", "-o", str(key), "--algorithm", "ed25519")[1]
    trust.write_bytes(bytes(trust_note(f"log {vkey}quorum none\n", expires=int(time.time()) + 10**6)))
    publish = ("publish", str(small.folder), "--log", str(log), "--key", str(key), "--oci", str(tmp_path / "oci"))
    code, out, err = run(*publish, "--quiet", "-f", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["oci_digest"] == tags(tmp_path / "oci")["1"] == tags(tmp_path / "oci")["latest"]
    assert unpacked(tmp_path / "oci", "latest", tmp_path / "pulled") == [
        "leaves-last.tar",
        "release.tar",
        "checkpoint.tar",
    ]
    asked = json.loads(leaves_of(small)[0])["launch_digest"]
    for folder in (log, tmp_path / "pulled"):
        code, out, err = run("lookup", asked, "--catalog", str(folder), "--trust", str(trust))
        assert (code, out.splitlines()[0][:8]) == (0, "match 1 ")
        assert "verified against version 1 of the trust note" in err
    assert run("audit", str(tmp_path / "pulled"), "--trust", str(trust))[0] == 0


def test_the_last_release_alone_is_in_it(publisher: Publisher, small: BuildResult, fewer: BuildResult) -> None:
    out = publisher.root / "oci"
    first = write(publisher, publisher.publish(fewer), fewer, out)
    second = write(publisher, publisher.publish(small, now=NOW + 1), small, out)
    assert tags(out) == {"1": first, "2": second, "latest": second}
    for number in (1, 2):
        pulled = publisher.root / f"pulled-{number}"
        unpacked(out, str(number), pulled)
        assert [path.name for path in (pulled / "releases").iterdir()] == [str(number)]
        for path in (path for path in pulled.rglob("*") if path.is_file() and path.name != CHECKPOINT):
            assert path.read_bytes() == (publisher.log.root / path.relative_to(pulled)).read_bytes()
    assert write(publisher, publisher.publish(small, now=NOW + 2), small, out) == second


def test_cosignatures_are_in_it_the_next_time(publisher: Publisher, small: BuildResult) -> None:
    out = publisher.root / "oci"
    first = write(publisher, publisher.publish(small), small, out)
    cosigned = publisher.note.with_signatures([signature(WITNESS, publisher.note.text, NOW)])
    publisher.put(cosigned)
    again = write(publisher, publisher.publish(small, now=NOW + 1), small, out)
    assert first != again
    assert tags(out) == {"1": again, "latest": again}
    unpacked(out, "1", publisher.root / "pulled")
    assert (publisher.root / "pulled" / CHECKPOINT).read_bytes() == bytes(cosigned)


def test_what_is_no_longer_the_last_release_is_refused(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    out = publisher.root / "oci"
    first = publisher.publish(fewer)
    publisher.publish(small, now=NOW + 1)
    with pytest.raises(UsageError, match="another release was published in the meantime"):
        write(publisher, first, fewer, out)
    assert not out.exists()


def test_a_folder_of_something_else_is_refused_before_anything_is_signed(
    run: Run, small: BuildResult, tmp_path: Path
) -> None:
    out = tmp_path / "oci"
    out.mkdir()
    (out / "letter").touch()
    run("keygen", "example.com/digests", "-o", str(tmp_path / "key"))
    publish = ("publish", str(small.folder), "--log", str(tmp_path / "log"), "--key", str(tmp_path / "key"))
    code, _, err = run(*publish, "--oci", str(out))
    assert (code, "not part of an OCI layout" in err) == (2, True)
    (out / "letter").unlink()
    write_artifact(out, [], kind="application/x-other", annotations={}, tags=["latest"])
    code, _, err = run(*publish, "--oci", str(out))
    assert (code, "the tag latest of " in err) == (2, True)
    assert not (tmp_path / "log").exists()


def test_what_cannot_be_written_is_refused(
    publisher: Publisher, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, log = publisher.publish(small), publisher.log.root
    for inside in (log, log / "oci", publisher.root):
        with pytest.raises(UsageError, match="contains the other"):
            write(publisher, published, small, inside)
    (log / "releases/1/manifest.json").rename(log / "moved")
    with pytest.raises(Unreadable, match=r"releases/1/manifest\.json"):
        write(publisher, published, small, publisher.root / "oci")
    assert not (publisher.root / "oci/index.json").exists()
    monkeypatch.setattr(oci_release, "MOST_GROUPS", 0)
    with pytest.raises(UsageError, match="too long for a registry"):
        write(publisher, published, small, publisher.root / "oci")


@pytest.mark.parametrize("size", [1, 255, 256, 257, GROUP - 1, GROUP, GROUP + 1, 2 * GROUP + 513])
def test_the_layers_have_every_tile_of_the_tree_once(size: int) -> None:
    empty = TileReader(MemoryLog(), 0)
    files = [name for name, _ in new_files(0, [b""] * size, empty)]
    bundles = [name for name in files if name.startswith("tile/entries")]
    tiles = [name for name in files if name not in bundles]
    full = size // GROUP
    groups = [path for number in range(full) for path in oci_release._group_paths(number)]
    assert sorted([*groups, *oci_release._last_paths(size, full)]) == sorted([*tiles, *bundles])
    assert not any(".p/" in path for path in groups)
