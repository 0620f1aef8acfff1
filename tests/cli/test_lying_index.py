"""A signed but false index: no lookup shows a kernel that the row does not have, and no revocation is evaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog import Release
from catalog.build.builder import BuildResult
from catalog.errors import VerificationFailed
from catalog.fast.index import NONE
from catalog.fast.plain_lookup import plain_lookup
from catalog.log.records import RevokeRecord
from catalog.state.folders import checked, receipts
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.index_check import check_index
from catalog.web.release.open_release import OpenRelease
from tests.support.catalogs import with_kernel
from tests.support.cli import Run
from tests.support.forged_catalogs import Change, elsewhere, forged, in_groups, in_manifest
from tests.support.hosts import Host, serving
from tests.support.published_logs import Place

INDEX = "sev-snp/launch_digests.index"
PARQUET = "sev-snp/launch_digests.parquet"


def no_kernel(groups: list[list[int]]) -> None:
    for group in groups:
        group[2] = NONE


LIES: dict[str, dict[str, Change]] = {
    "another kernel": {INDEX: elsewhere(2)},
    "no kernel": {INDEX: in_groups(no_kernel)},
    "another firmware": {INDEX: elsewhere(1)},
}
HIDDEN: dict[str, dict[str, Change]] = {
    "an index that fs-verity names, and SHA-256 does not": {
        manifest.NAME: in_manifest(lambda text: text["files"][INDEX].update(fsverity="11" * 32))
    },
    "rows that fs-verity names": {
        manifest.NAME: in_manifest(lambda text: text["files"][PARQUET].update(fsverity="11" * 32))
    },
    "names that fs-verity names": {
        manifest.NAME: in_manifest(lambda text: text["files"][manifest.NAMES].update(fsverity="11" * 32))
    },
}

Lie = Callable[[dict[str, Change]], Place]


@pytest.fixture
def publish_lie(place: Place, small: BuildResult, tmp_path: Path) -> Lie:
    """Publishes a log with false files under a valid signature; returns it with its trust note."""

    def published(changes: dict[str, Change]) -> Place:
        (tmp_path / "lie").mkdir()
        return Place(tmp_path / "lie", forged(small, tmp_path / "lie/catalog", changes), place.now)

    return published


@pytest.mark.parametrize("changes", [*LIES.values(), *HIDDEN.values()], ids=[*LIES, *HIDDEN])
def test_no_lookup_in_a_release_shows_facts_of_another_row(
    run: Run, publish_lie: Lie, small: BuildResult, changes: dict[str, Change], tmp_path: Path
) -> None:
    """In every output format, also at the second lookup."""
    found, digest = publish_lie(changes), with_kernel(small)
    for _ in range(2):
        for command in (
            ("lookup", digest),
            ("lookup", digest, "-f", "json"),
            ("explain", digest),
            ("sql", "SELECT 1"),
            ("report", str(found.log), "--html", str(tmp_path / "page")),
            ("site", str(found.log), "-o", str(tmp_path / "site")),
        ):
            options = found.options() if command[0] not in ("report", "site") else ("--trust", str(found.trust))
            code, out, err = run(*command, *options)
            assert (code, out) == (4, ""), (command, err)
            assert "index of" in err
            assert "does not match its rows" in err
        assert plain_lookup([digest, *found.options()]) is None
        with pytest.raises(VerificationFailed, match="does not match its rows"):
            Release.open(found.log, found.trust)


@pytest.mark.parametrize("changes", LIES.values(), ids=LIES)
def test_serve_shows_no_facts_of_another_row(
    run: Run, publish_lie: Lie, changes: dict[str, Change], tmp_path: Path
) -> None:
    found = publish_lie(changes)
    code, _, err = run("serve", str(found.log), "--trust", str(found.trust), "--listen", "127.0.0.1:0")
    assert (code, "does not match its rows" in err) == (4, True)
    with pytest.raises(VerificationFailed, match="does not match its rows"):
        OpenRelease.of(Catalog.open(tmp_path / "lie/catalog"), None, None)


@pytest.mark.parametrize("changes", LIES.values(), ids=LIES)
def test_a_lookup_at_a_host_shows_the_facts_of_the_row(
    run: Run, publish_lie: Lie, small: BuildResult, host: Host, changes: dict[str, Change]
) -> None:
    found, digest = publish_lie(changes), with_kernel(small)
    right = json.loads(run("lookup", digest, "--catalog", str(small.folder), "-f", "json")[1])["matches"]
    with serving(found.log, host) as port:
        url = f"http://127.0.0.1:{port}/logs"
        trust = ("--trust", str(found.trust))
        code, out, err = run("lookup", digest, "--catalog", url, *trust, "-f", "json")
        assert (code, json.loads(out)["matches"]) == (0, right), err
        assert not [path for path in host.requests if path.endswith(manifest.INDEX) and "releases" in path]
        with Release.open(url, found.trust) as opened:
            assert [match.to_dict() for match in opened.lookup(digest)] == right


@pytest.mark.parametrize("changes", LIES.values(), ids=LIES)
def test_a_false_index_evades_no_revocation(
    run: Run, publish_lie: Lie, small: BuildResult, host: Host, changes: dict[str, Change]
) -> None:
    """The revocations select a kernel hashes table and a firmware."""
    found, digest = publish_lie(changes), with_kernel(small)
    first = json.loads(run("lookup", digest, "--catalog", str(small.folder), "-f", "json")[1])["matches"][0]
    selector = {
        "technology": "sev-snp",
        "firmware_sha256": first["firmware"]["sha256"],
        "kernel_hashes_sha256": first["kernel_hashes"]["table_sha256"],
    }
    found.publish(RevokeRecord(type="revoke", selector=selector, severity="revoked", reason="a leak"))
    assert run("lookup", digest, *found.options())[0] == 4
    with serving(found.log, host) as port:
        url = f"http://127.0.0.1:{port}/logs"
        code, out, _ = run("lookup", digest, "--catalog", url, "--trust", str(found.trust))
    assert (code, "revoked by the publisher of this log: a leak" in out) == (7, True)


def test_a_manifest_with_duplicate_entries_is_refused(small: BuildResult, tmp_path: Path) -> None:
    """The fast path would read the first of two entries with one name, and a JSON parser the second."""
    fake = forged(small, tmp_path / "twice", {})
    path = fake.folder / manifest.NAME
    text = path.read_text()
    start = text.index(f'    "{INDEX}": {{\n')
    path.write_text(text.replace('  "files": {\n', '  "files": {\n' + text[start : text.index("}", start) + 1] + ",\n"))
    assert Catalog.open(fake.folder).manifest == Catalog.open(small.folder).manifest
    check_index(Catalog.open(small.folder))
    with pytest.raises(VerificationFailed, match="not in canonical form"):
        check_index(Catalog.open(fake.folder))


def test_an_index_is_checked_once_per_manifest(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, sha256 = with_kernel(small), Catalog.open(small.folder).manifest_sha256
    assert run("lookup", digest, *place.options())[0] == 0
    assert checked().know(sha256)
    assert not receipts().know(sha256)
    monkeypatch.setattr("catalog.store.index_check.index_faults", lambda _: iter(["checked again"]))
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad"))
    assert run("lookup", digest, *place.options())[0] in (0, 7)
    folder = checked().folder
    assert folder is not None
    (folder / sha256).unlink()
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="revoked", reason="bad"))
    assert run("lookup", digest, *place.options())[0] == 4
    receipts().keep(sha256)
    assert run("lookup", digest, *place.options())[0] in (0, 7)


def test_publish_refuses_a_false_index_made_elsewhere(
    run: Run, small: BuildResult, tmp_path: Path, place: Place
) -> None:
    forged(small, tmp_path / "fake", LIES["another kernel"])
    key = tmp_path / "key"
    assert run("keygen", "example.com/other", "-o", str(key))[0] == 0
    arguments = ("publish", str(tmp_path / "fake"), "--log", str(tmp_path / "new"), "--key", str(key))
    code, _, err = run(*arguments)
    assert (code, "does not match its rows" in err) == (4, True)
    assert not (tmp_path / "new/checkpoint").exists()
