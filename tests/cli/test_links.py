"""Symbolic links in a log: the folder named by the user may be one; below it none is followed by any reader."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.fast.plain_lookup import plain_lookup
from catalog.log.log_folder import LogFolder
from catalog.log.records import RevokeRecord
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.published_logs import Place

FOLLOWED = "is a symbolic link, which is not followed"


def replace_by_link(path: Path, kept: Path) -> None:
    """Replaces a file by a link to the same bytes elsewhere."""
    path.rename(kept)
    path.symlink_to(kept)


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint",
        "releases",
        "releases/1",
        "releases/1/manifest.json",
        "releases/1/components",
        "tile",
    ],
)
def test_a_lookup_follows_no_link_in_a_log(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, name: str
) -> None:
    arguments = (digest_of(small), "--catalog", str(place.log), "--trust", str(place.trust))
    assert run("lookup", *arguments)[0] == 0
    assert plain_lookup(list(arguments)) is not None
    replace_by_link(place.log / name, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "state", ignore_errors=True)
    assert plain_lookup(list(arguments)) is None
    for folder in (place.log, place.log / "releases/1", f"{place.log}/releases/1/."):
        code, out, err = run(
            "lookup", arguments[0], "--catalog", str(folder), "--trust", str(place.trust), "-f", "json"
        )
        assert (code, out) == (5, ""), err
        assert f"{place.log}/{name} {FOLLOWED}" in err


@pytest.mark.parametrize("name", ["components/names", "sev-snp/launch_digests.index"])
def test_an_index_that_is_a_link_is_not_used(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, name: str
) -> None:
    """Not even before the check of the index, when the full path is not taken."""
    path = place.log / "releases/1" / name
    arguments = (digest_of(small), "--catalog", str(place.log), "--trust", str(place.trust))
    replace_by_link(path, tmp_path / "elsewhere")
    code, out, err = run("lookup", *arguments)
    assert (code, out, plain_lookup(list(arguments))) == (5, "", None)
    assert f"{path} {FOLLOWED}" in err
    path.unlink()
    (tmp_path / "elsewhere").rename(path)
    assert run("lookup", *arguments)[0] == 0
    replace_by_link(path, tmp_path / "elsewhere")
    code, _, err = run("lookup", *arguments)
    assert (code, plain_lookup(list(arguments))) == (0, None)
    assert f"so the Parquet files are read: {path}: {FOLLOWED}" in err


def test_the_named_folder_may_be_a_link(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(place.log)
    for folder in ("named", "named/releases/1", "named/releases/1/"):
        code, _, err = run("lookup", digest_of(small), "--catalog", str(tmp_path / folder), "--trust", str(place.trust))
        assert code == 0, err


@pytest.mark.parametrize("name", ["tile/entries", "releases/1/components/names", "releases/1"])
def test_audit_and_doctor_name_each_link(run: Run, place: Place, tmp_path: Path, name: str) -> None:
    replace_by_link(place.log / name, tmp_path / "elsewhere")
    trust = ("--trust", str(place.trust))
    for arguments in (("audit", str(place.log), *trust, "-q"), ("audit", str(place.log), "-q")):
        code, out, _ = run(*arguments, "--format", "json")
        found = [(one["rule"], one["subject"]) for one in json.loads(out)["findings"] if FOLLOWED in one["evidence"]]
        assert code == 1
        assert ("link", name) in found
    code, out, _ = run("doctor", str(place.log), *trust, "--format", "json")
    found = [(one["severity"], one["subject"]) for one in json.loads(out)["findings"] if one["what"] == FOLLOWED]
    assert (code, found) == (1, [("error", name)])


def test_audit_names_a_link_in_an_own_catalog(run: Run, small: BuildResult, tmp_path: Path) -> None:
    shutil.copytree(small.folder, tmp_path / "copy")
    (tmp_path / "copy/more").symlink_to("manifest.json")
    code, out, _ = run("audit", str(tmp_path / "copy"), "-q", "--format", "json")
    assert (code, [(one["rule"], one["subject"]) for one in json.loads(out)["findings"]]) == (1, [("link", "more")])


def test_a_site_has_only_the_files_that_the_log_names(run: Run, place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"a secret")
    for name in ("releases/1/key.pem", "releases/1/components/key.pem", "releases/7/manifest.json", "tile/0/999"):
        (place.log / name).parent.mkdir(exist_ok=True)
        (place.log / name).write_bytes(b"a secret")
    (place.log / "releases/1/link.json").symlink_to(secret)
    (place.log / "tile/8").symlink_to(tmp_path)
    (place.log / ".ldcat-0123456789abcdef.partial").write_bytes(b"a secret")
    site = tmp_path / "site"
    site.mkdir()
    (site / ".ldcat-fedcba9876543210.partial").write_bytes(b"a secret, and half of a file")
    code, _, err = run("site", str(place.log), "-o", str(site), "--trust", str(place.trust), "-q")
    assert code == 0, err
    assert (site / "releases/1/manifest.json").is_file()
    assert not [path for path in site.rglob("*") if path.is_file() and b"a secret" in path.read_bytes()]


def test_a_site_is_not_written_through_a_link(run: Run, place: Place, tmp_path: Path) -> None:
    site, outside = tmp_path / "site", tmp_path / "outside"
    outside.mkdir()
    site.mkdir()
    (site / "checkpoint").touch()  # as an older site has it
    (site / "releases").symlink_to(outside)
    code, _, err = run("site", str(place.log), "-o", str(site), "--trust", str(place.trust), "-q")
    assert (code, list(outside.iterdir())) == (5, [])
    assert f"{site}/releases {FOLLOWED}" in err


def test_the_database_is_not_written_through_a_link(run: Run, small: BuildResult, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    for name in ("x.duckdb", ".x.duckdb.partial"):
        (tmp_path / name).symlink_to(outside)
        code, _, err = run("sql", "--catalog", str(small.folder), "--database", str(tmp_path / "x.duckdb"))
        assert not outside.exists()
        assert (code, "already exists" in err) == ((2, True) if name == "x.duckdb" else (0, False))
        (tmp_path / name).unlink()
    assert (tmp_path / "x.duckdb").is_file()
    assert sorted(path.name for path in tmp_path.glob("*duckdb*")) == ["x.duckdb"]


def test_leftovers_of_a_crash_are_reported_and_removed_by_the_next_publish(
    run: Run, place: Place, small: BuildResult, tmp_path: Path
) -> None:
    names = [".ldcat-0123456789abcdef.partial", "tile/0/.000.partial", "releases/2/components/names"]
    for name in names:
        (place.log / name).parent.mkdir(parents=True, exist_ok=True)
        (place.log / name).write_bytes(b"half")
    _, out, _ = run("doctor", str(place.log), "--trust", str(place.trust), "--format", "json")
    subjects = {one["subject"] for one in json.loads(out)["findings"] if one["severity"] == "note"}
    assert {*names[:2], "releases/2"} <= subjects
    (place.log / "releases/2/more").write_bytes(b"of another catalog")
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="three"))
    assert not [name for name in (*names[:2], "releases/2/more") if LogFolder(place.log).has(name)]
    assert (place.log / names[2]).read_bytes() == (small.folder / "components/names").read_bytes()
