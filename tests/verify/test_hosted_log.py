"""Releases on a static host: fetched once, and verified before use, whatever the host answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.options import named_location
from catalog.errors import MalformedInput, MalformedRecord, Unreadable, UsageError
from catalog.fast.folder_location import locate
from catalog.fast.plain_lookup import plain_lookup
from catalog.log.file_pack import PACKS
from catalog.log.records import RevokeRecord
from catalog.net.static_host import StaticHost
from catalog.verify.hosted_log import HostedLog
from catalog.verify.location import HostedLocation
from catalog.verify.verify_release import unverified_release
from tests.support.cli import Run
from tests.support.hosts import Host, Serve, answer, at_once, right, serving
from tests.support.published_logs import Place

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")


@pytest.fixture
def url(place: Place, host: Host) -> Iterator[str]:
    """Of a host without packs, from which each file is read by itself."""
    shutil.rmtree(place.log / PACKS)
    with serving(place.log, host) as port:
        yield f"http://127.0.0.1:{port}/logs"


def cached(tmp_path: Path, url: str) -> Path:
    return tmp_path / "cache/ldcat/hosts" / quote(url, safe="")


def test_a_local_release_is_compared_with_a_hosted_one(
    run: Run, place: Place, small: BuildResult, host: Host, url: str
) -> None:
    trust = ("--trust", str(place.trust))
    assert run("diff", str(small.folder), url, *trust)[0] == 0
    assert run("diff", url, str(small.folder), *trust)[0] == 0
    place.publish(REVOKE)
    code, out, err = run("diff", f"{url}/releases/1", url, *trust)
    assert code == 1, err
    assert "  + revocation vcpus 3: revoked, bad" in out.splitlines()
    assert "23 revoked" in out
    again = json.loads(run("diff", str(place.log / "releases/1"), url, *trust, "-f", "json")[1])
    assert (again["counts"]["revoked"], again["new"]["release"]["verified"]) == (23, True)
    assert again["history"] == "one log that only grew: its checkpoint of 75 leaves contains both releases"


def test_cached_files_are_not_fetched_again(run: Run, place: Place, host: Host, url: str, tmp_path: Path) -> None:
    arguments = ("report", url, "--html", str(tmp_path / "page"), "--trust", str(place.trust))
    assert run(*arguments)[0] == 0
    assert len(set(host.requests)) == len(host.requests) > 15
    host.requests.clear()
    assert run(*arguments)[0] == 0
    assert host.requests == ["checkpoint"]
    part = cached(tmp_path, url) / "releases/1/sev-snp/launch_digests.index"
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    host.requests.clear()
    assert run(*arguments)[0] == 0
    assert host.requests == ["checkpoint", "releases/1/sev-snp/launch_digests.index"]


def test_only_needed_files_are_fetched(
    run: Run, place: Place, small: BuildResult, host: Host, url: str, tmp_path: Path
) -> None:
    """Every command that takes a catalog accepts a URL."""
    trust = ("--catalog", url, "--trust", str(place.trust))

    def fetched() -> set[str]:
        names = {path.removeprefix("releases/1/") for path in host.requests if path.startswith("releases/1/")}
        host.requests.clear()
        return names - {"manifest.json", "revocations.json"}

    assert run("inspect", "whole.fd", *trust)[0] == 0
    assert fetched() == {"components/firmware.parquet"}
    assert run("measure", "whole.fd", "-t", "sev", *trust)[0] == 0
    assert fetched() == set()
    code, out, err = run("lookup", str(small.example), *trust, "-f", "json")
    assert (code, json.loads(out)["release"]["verified"]) == (0, True), err
    parquet = {name for name in fetched() if name.endswith(".parquet")}
    shown = {"components/kernel_hashes.parquet", "components/launchable.parquet"}
    assert parquet == {"sev-snp/launch_digests.parquet", *shown}
    assert run("lookup", "0" * 96, *trust)[0] == 1
    assert fetched() == set()
    code, out, _ = run("sql", "SELECT count(*) AS n FROM launch_digests", *trust, "-f", "csv")
    assert (code, out) == (0, "n\n72\n")
    assert run("explain", str(small.example), *trust, "--budget", "0.001")[0] == 0


def test_the_environment_variable_may_be_a_url(
    run: Run, place: Place, small: BuildResult, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_CATALOG", url)
    monkeypatch.setenv("LDCAT_TRUST", str(place.trust))
    digest = str(small.example)
    assert run("lookup", digest)[0] == 0
    assert plain_lookup([digest]) is None
    monkeypatch.setenv("LDCAT_CATALOG", f"{url}/releases/1")
    assert plain_lookup([digest]) is None


def other_bytes(handler: BaseHTTPRequestHandler, root: Path) -> None:
    path = root / handler.path.removeprefix("/logs/")
    answer(handler, 200, path.read_bytes()[:-1] + b"?")


def more_bytes(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 200, (root / handler.path.removeprefix("/logs/")).read_bytes() + b"?")


def cut(handler: BaseHTTPRequestHandler, root: Path) -> None:
    data = (root / handler.path.removeprefix("/logs/")).read_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def elsewhere(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 302, b"", {"Location": "https://elsewhere.example/"})


def packed(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 200, b"x", {"Content-Encoding": "br"})


def endless(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 20))


@pytest.mark.parametrize(
    ("path", "serve", "code", "part"),
    [
        ("releases/1/manifest.json", other_bytes, 4, "is not the expected file"),
        ("releases/1/manifest.json", endless, 3, "has more than"),
        ("releases/1/sev-snp/launch_digests.index", other_bytes, 4, "is not the expected file"),
        ("releases/1/sev-snp/launch_digests.index", more_bytes, 4, "is not the expected file"),
        ("releases/1/sev-snp/launch_digests.index", endless, 4, "is not the expected file"),
        ("releases/1/sev-snp/launch_digests.index", cut, 5, "does not answer"),
        ("releases/1/sev-snp/launch_digests.index", elsewhere, 5, "a redirection to https://elsewhere.example/"),
        ("releases/1/sev-snp/launch_digests.index", packed, 5, "unrequested Content-Encoding"),
        ("releases/1/revocations.json", other_bytes, 4, "is not the list that release 1"),
        ("checkpoint", endless, 3, "has more than"),
        ("checkpoint", other_bytes, 3, ""),
        ("tile/0/000.p/73", other_bytes, 4, "does not match its tile"),
        ("tile/entries/000.p/73", other_bytes, 4, "does not match its tile"),
    ],
)
def test_answers_of_a_misbehaving_host_are_refused(
    run: Run, place: Place, host: Host, url: str, tmp_path: Path, path: str, serve: Serve, code: int, part: str
) -> None:
    host.odd[path] = serve
    page = tmp_path / "page"
    arguments = ("report", url, "--html", str(page), "--trust", str(place.trust))
    found, out, err = run(*arguments)
    assert (found, out, part in err) == (code, "", True), err
    assert not page.exists()
    assert not [file for file in cached(tmp_path, url).rglob("*") if "partial" in file.name]
    host.odd.clear()
    assert run(*arguments)[0] == 0  # no temporary file is left


def test_a_busy_host_is_asked_again(place: Place, host: Host, url: str) -> None:
    count = 0

    def busy(handler: BaseHTTPRequestHandler, root: Path) -> None:
        nonlocal count
        count += 1
        if count <= 2:
            answer(handler, 503, b"later")
        else:
            right(handler, root)

    host.odd["checkpoint"] = busy
    there = StaticHost.parse(url)
    assert there.read("checkpoint", 1 << 20) == (place.log / "checkpoint").read_bytes()
    assert count == 3
    host.odd["checkpoint"] = lambda handler, root: answer(handler, 503, b"never")
    with pytest.raises(Unreadable, match="status 503"):
        there.read("checkpoint", 1 << 20)
    assert host.requests.count("checkpoint") == 6
    with pytest.raises(Unreadable, match="status 404"):
        there.read("nothing", 10)
    assert host.requests.count("nothing") == 1
    host.odd.clear()
    with pytest.raises(MalformedInput, match="more than 10 bytes"):
        there.read("checkpoint", 10)


def test_trust_note_and_rollback_checks_apply_to_a_host(run: Run, place: Place, url: str, tmp_path: Path) -> None:
    page = ("--html", str(tmp_path / "page"))
    code, _, err = run("report", url, *page)
    assert (code, "no trust note is given" in err) == (2, True)
    code, _, err = run("report", url, *page, "--insecure-skip-verify")
    assert (code, f"whoever wrote to {url}" in err) == (0, True)
    old = {path: path.read_bytes() for path in [place.log / "checkpoint"]}
    place.publish(REVOKE)
    assert run("report", url, *page, "--trust", str(place.trust))[0] == 0
    for path, data in old.items():
        path.write_bytes(data)
    assert run("report", url, *page, "--trust", str(place.trust))[0] == 9
    assert run("report", f"{url}/releases/7", *page, "--trust", str(place.trust))[0] == 9


def test_concurrent_fetches(place: Place, url: str, tmp_path: Path) -> None:
    """Each file is complete for every reader."""

    def fetch() -> None:
        log = HostedLog.of(HostedLocation(url, None))
        log.open(unverified_release(log, None)).verify()

    at_once(6, fetch)


def test_locations_are_parsed() -> None:
    assert named_location("a/folder") == Path("a/folder")
    assert named_location("https.d") == Path("https.d")
    for text, number in (("https://example.com/logs/", None), ("https://example.com/logs/releases/12", 12)):
        assert named_location(text) == HostedLocation("https://example.com/logs", number)
    assert str(named_location("HTTPS://example.com:8443/releases/1/")) == "https://example.com:8443/releases/1"
    many = "9" * 5000  # more digits than Python converts
    assert named_location(f"https://example.com/releases/{many}") == HostedLocation(
        f"https://example.com/releases/{many}", None
    )
    assert locate(f"releases/{many}").log is None
    assert str(named_location("http://[::1]:80/a")) == "http://[::1]:80/a"
    for text in ("https:", "http://example.com/", "https://example.com/?q", "https://a b/", "https:/one/slash"):
        with pytest.raises(UsageError):
            named_location(text)


def test_without_a_home_folder_or_with_an_unusable_cache(
    run: Run, place: Place, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("report", url, "--html", str(tmp_path / "page"), "--trust", str(place.trust))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    code, _, err = run(*arguments)
    assert (code, "not a directory" in err) == (5, True)


@pytest.mark.parametrize(
    "name",
    ["../../../../evil", "/evil", "a/../../evil", "..", ".hidden", "a//b", "a/", "", "a\\b", "a\nb", "manifest.json"],
)
def test_no_file_is_written_anywhere_else(place: Place, url: str, host: Host, tmp_path: Path, name: str) -> None:
    """A host that is used without verification supplies any files it likes, but only to the cache."""

    def forged(handler: BaseHTTPRequestHandler, root: Path) -> None:
        answer(handler, 200, data)

    manifest = json.loads((place.log / "releases/1/manifest.json").read_bytes())
    manifest["files"][name] = {"sha256": sha256(b"evil").hexdigest(), "size": 4}
    data = json.dumps(manifest).encode()
    host.odd["releases/1/manifest.json"] = forged
    log = HostedLog.of(HostedLocation(url, None))
    release = unverified_release(log, None)
    release.manifest_sha256 = sha256(data).hexdigest()  # the origin that the host's own log names
    with pytest.raises(MalformedRecord):
        log.open(release)
    files = [path for path in cached(tmp_path, url).rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"manifest.json"}
    assert not list(tmp_path.rglob("*evil*"))
