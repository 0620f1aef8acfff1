"""`ldcat site`: static files that allow a lookup with one request, without trust in the host."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog import Release
from catalog.build.builder import BuildResult
from catalog.errors import VerificationFailed
from catalog.log.records import RevokeRecord
from catalog.net import static_host
from catalog.store.ranges import FRAGMENT, INDEX, RangeIndex
from tests.support.catalogs import build, rows_of
from tests.support.cli import Run
from tests.support.hosts import Host, serving
from tests.support.published_logs import Place
from tests.support.samples import write_spec

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    monkeypatch.setattr(static_host, "_PAUSES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Host()


@pytest.fixture
def site(run: Run, place: Place, tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    code, out, _ = run("site", str(place.log), "-o", str(folder), "--trust", str(place.trust))
    assert (code, out) == (0, f"{folder}\n")
    return folder


@pytest.fixture
def url(site: Path, host: Host) -> Iterator[str]:
    with serving(site, host) as port:
        yield f"http://127.0.0.1:{port}/logs"


def test_one_build_is_not_several(run: Run, tmp_path: Path) -> None:
    text = 'name = "one"\nfirmware = { builds = ["sid/ovmf-amdsev/*"] }\n[technologies.sev]\n'
    place = Place(tmp_path / "place", build(write_spec(tmp_path, text), tmp_path / "one"), 1_800_000_000)
    code, _, _ = run("site", str(place.log), "-o", str(tmp_path / "site"), "--insecure-skip-verify")
    page = (tmp_path / "site/index.html").read_text()
    assert (code, "launch digests of\n1 firmware build;" in page or "1 firmware build.</p>" in page) == (0, True), page
    assert "search the build of the catalog" in page


def test_a_lookup_costs_one_request(place: Place, small: BuildResult, host: Host, url: str) -> None:
    rows = rows_of(small)
    with Release.open(url, place.trust) as release, Release.open(small.folder) as own:
        host.requests.clear()
        for digest in {*rows.values(), bytes(48), bytes(32)}:
            found = [match.to_dict() for match in release.lookup(digest)]
            assert found == [match.to_dict() for match in own.lookup(digest)]
        assert host.requests == ["range/1/0"]  # of all of them, since the catalog is small


def test_on_the_command_line(run: Run, place: Place, small: BuildResult, host: Host, url: str) -> None:
    arguments = ("--catalog", url, "--trust", str(place.trust))
    code, out, err = run("lookup", str(small.example), *arguments, "-f", "json")
    assert (code, json.loads(out)["release"]["verified"], "nothing proves" in err) == (0, True, False)
    code, _, err = run("lookup", "0" * 96, *arguments)
    assert (code, f"only {url}/releases/1 says that no row has this digest: nothing proves it" in err) == (1, True)


def test_revoked_rows_are_reported(run: Run, place: Place, small: BuildResult, tmp_path: Path, host: Host) -> None:
    place.publish(REVOKE)
    site = tmp_path / "again"
    assert run("site", str(place.log), "-o", str(site), "--trust", str(place.trust))[0] == 0
    digest = next(digest for inputs, digest in rows_of(small).items() if inputs[-1] == 3)
    with serving(site, host) as port, Release.open(f"http://127.0.0.1:{port}/logs", place.trust) as release:
        assert {match.revocation for match in release.lookup(digest)} == {("revoked", "bad")}
        assert release.prove(digest)


def test_a_lying_host_is_detected(
    place: Place, small: BuildResult, site: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = next(digest for inputs, digest in rows_of(small).items() if inputs[0] == "sev-snp")
    index = RangeIndex.parse((site / "range/1" / INDEX).read_bytes())
    file = site / "range/1" / index.name(digest)
    entries = file.read_bytes()
    at = entries.index(digest[:FRAGMENT])
    for entry in range(0, len(entries), index.entry_size):  # the row of another digest
        if entries[entry : entry + FRAGMENT] != digest[:FRAGMENT]:
            other = entries[entry + FRAGMENT : entry + index.entry_size]
            forged = entries[: at + FRAGMENT] + other + entries[at + index.entry_size :]
            break
    file.write_bytes(forged)
    with Release.open(url, place.trust) as release:
        with pytest.raises(VerificationFailed, match="does not have this launch digest"):
            release.lookup(digest)
        file.write_bytes(b"")
        assert not release.lookup(digest)
    text = json.loads((site / "range/1" / INDEX).read_bytes())
    (site / "range/1" / INDEX).write_text(json.dumps({**text, "manifest_sha256": "0" * 64}))
    Release.open(url, place.trust)  # the right one was fetched before
    shutil.rmtree(site / "pack")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another cache"))
    with pytest.raises(VerificationFailed, match="belong to another catalog"):
        Release.open(url, place.trust)


def test_a_digest_with_the_prefix_of_another_is_not_found(run: Run, place: Place, small: BuildResult, url: str) -> None:
    digest = next(digest for inputs, digest in rows_of(small).items() if inputs[0] == "sev-snp")
    last = digest[:-1] + bytes([digest[-1] ^ 1])
    for near in (digest[:FRAGMENT] + bytes(32), last, digest[:32]):  # the last one has the length of SEV digests
        with Release.open(url, place.trust) as release:
            assert not release.lookup(near)
        code, _, err = run("lookup", near.hex(), "--catalog", url, "--trust", str(place.trust))
        assert (code, "nothing proves it" in err, "wrong" in err) == (1, True, False)


def test_a_site_is_updated_with_each_release(run: Run, place: Place, site: Path) -> None:
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    place.publish(REVOKE)
    assert run("site", str(place.log), "-o", str(site), "--trust", str(place.trust))[0] == 0
    changed = {path.name for path, data in before.items() if path.read_bytes() != data}
    assert changed == {"checkpoint", "builds.html", "fleets.html", "releases.html", "page.json", "index.html"}
    assert {path.name for path in (site / "range").iterdir()} == {"1", "2"}
    assert run("audit", str(site), "--trust", str(place.trust))[0] == 0
    assert not [path for path in site.rglob("*") if "partial" in path.name]


def test_sites_that_cannot_be_written(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    trust = ("--trust", str(place.trust))
    code, _, err = run("site", str(small.folder), "-o", str(tmp_path / "site"))
    assert (code, "is not published in a log" in err) == (2, True)
    for out in (place.log, place.log / "site", place.log.parent):
        code, _, err = run("site", str(place.log), "-o", str(out), *trust)
        assert (code, "contains the other" in err) == (2, True), out
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/index.html").write_text("mine")
    code, _, err = run("site", str(place.log), "-o", str(tmp_path / "mine"), *trust)
    assert (code, "has files that are no site" in err) == (2, True)
    assert [path.read_text() for path in (tmp_path / "mine").iterdir()] == ["mine"]
    (tmp_path / "file").write_text("")
    assert run("site", str(place.log), "-o", str(tmp_path / "file"), *trust)[0] == 5
    assert run("site", str(place.log), "-o", str(tmp_path / "site"))[0] == 2
    for level in ("0", "entries"):  # an earlier verification is remembered, but the files must still be there
        part, site = place.log / f"tile/{level}/000.p/73", tmp_path / f"without-{level}"
        part.rename(tmp_path / "part")
        code, _, err = run("site", str(place.log), "-o", str(site), *trust)
        assert (code, f"tile/{level}/000" in err) == (5, True)
        assert not (site / "checkpoint").exists()
        (tmp_path / "part").rename(part)
    (place.log / "releases/1/sev/launch_digests.parquet").write_bytes(b"")
    assert run("site", str(place.log), "-o", str(tmp_path / "new"), *trust)[0] == 4
    assert not (tmp_path / "new/checkpoint").exists()


def test_audit_and_proof_of_a_hosted_log(
    run: Run, place: Place, small: BuildResult, site: Path, url: str, tmp_path: Path
) -> None:
    trust = ("--trust", str(place.trust))
    code, out, err = run("audit", url, *trust, "--quiet")
    assert (code, err) == (0, ""), out
    code, out, _ = run("prove", str(small.example), "--catalog", url)
    assert code == 0
    (tmp_path / "proof").write_text(out.splitlines()[0])
    assert run("verify-proof", str(tmp_path / "proof"), *trust)[0] == 0
    file = site / "releases/1/sev/launch_digests.index"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    shutil.rmtree(tmp_path / "cache")
    code, out, _ = run("audit", url, *trust, "-f", "json")
    named = {finding["subject"] for finding in json.loads(out)["findings"]}
    assert code == 1
    assert any("sev/launch_digests.index" in subject for subject in named), out
    (site / "releases/1/manifest.json").write_bytes(b"{}")
    code, out, _ = run("audit", url, *trust)
    assert (code, "manifest" in out) == (1, True)
    (site / "checkpoint").unlink()
    code, out, _ = run("audit", url, *trust)
    assert (code, "status 404" in out) == (1, True)


def test_the_pages_of_a_site(run: Run, place: Place, site: Path) -> None:
    data = json.loads((site / "page.json").read_bytes())
    assert (data["release"]["number"], data["trust"]["quorum"], len(data["trust"]["logs"])) == (1, None, 1)
    images = {path.stem for path in (site / "builds").iterdir()}
    assert images == set(data["firmware"])
    for name in ("index.html", "builds.html", "releases.html"):
        text = (site / name).read_text()
        assert str(place.log) not in text
        for target in re.findall(r'(?:href|src|action)="([^"#:]+)"', text):
            assert (site / target).exists() or target in ("./", "d"), (name, target)
    place.publish(REVOKE)
    assert run("site", str(place.log), "-o", str(site), "--trust", str(place.trust))[0] == 0
    assert 'href="diff/1...2.html"' in (site / "releases.html").read_text()
    assert "1...2.html" in {path.name for path in (site / "diff").iterdir()}


def test_an_unverified_site_says_so(run: Run, place: Place, tmp_path: Path) -> None:
    site = tmp_path / "unverified"
    assert run("site", str(place.log), "-o", str(site), "--insecure-skip-verify")[0] == 0
    assert json.loads((site / "page.json").read_bytes())["trust"] is None
    for name in ("index.html", "builds.html"):
        assert "NOT VERIFIED" in (site / name).read_text()


def test_a_site_omits_changes_that_cannot_be_read(run: Run, place: Place, tmp_path: Path) -> None:
    place.publish(REVOKE)
    shutil.rmtree(place.log / "releases/1")
    site = tmp_path / "out"
    code, _, err = run("site", str(place.log), "-o", str(site), "--trust", str(place.trust))
    assert (code, "no page shows what changed since release 1" in err) == (0, True)
    assert "diff/1...2" not in (site / "releases.html").read_text()
