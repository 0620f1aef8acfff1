"""Whatever the publisher signed, no output shows a kernel or a command line that was not measured."""

from __future__ import annotations

import hashlib
import html
import json
from pathlib import Path

import pytest

from catalog import Release
from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import found_answer
from catalog.ask.lookup import lookup_in_parquet
from catalog.ask.verification import VerificationInputs
from catalog.build.builder import BuildResult
from catalog.diff.flat import flat
from catalog.errors import VerificationFailed
from catalog.evidence.evidence import Evidence
from catalog.fast.match import CLAIMS
from catalog.fast.names import IMAGES, TABLES
from catalog.fast.plain_lookup import plain_lookup
from catalog.pages.assets import assets
from catalog.pages.views import answer_page, image_pages
from catalog.state.folders import receipts
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.web.release.open_release import OpenRelease
from tests.support.catalogs import digest_by_kernel, with_kernel
from tests.support.cli import Run
from tests.support.forged_catalogs import Change, forged, in_names, in_rows
from tests.support.hosts import Host, serving
from tests.support.published_logs import Place, Publisher, rebuilt

EVIL = "console=ttyS0 init=/bin/sh"
OTHER = hashlib.sha256(b"another kernel")


def of_table(place: int, text: str) -> Change:
    """Changes a field of the first kernel hashes table in the file of names: name, three hashes, command line."""
    return in_names(TABLES, lambda record: record.__setitem__(place, text))


def evil_command_line(record: list[str | None]) -> None:
    """Replaces the command line and its hash, so that only the hash of the table differs."""
    record[4], record[5] = hashlib.sha256(EVIL.encode() + b"\0").hexdigest(), EVIL


NAMES_LIE: dict[str, Change] = {
    "another command line": of_table(5, EVIL),
    "another command line and its hash": in_names(TABLES, evil_command_line),
    "another kernel": of_table(2, OTHER.hexdigest()),
    "another initrd": of_table(3, OTHER.hexdigest()),
    "no hash": of_table(2, ""),
    "a command line and more": of_table(5, "quiet nr_cpus=2\0" + EVIL),
}
ROWS_LIE: dict[str, Change] = {
    "another command line": in_rows(lambda row: row.update(append=EVIL)),
    "another kernel": in_rows(lambda row: row.update(kernel_sha256=OTHER.digest())),
    "another table": in_rows(lambda row: row.update(table_sha256=OTHER.digest())),
}


def refused(answer: tuple[int, str, str], place: object, file: str) -> None:
    code, out, err = answer
    assert (code, out) == (4, "")
    assert f"ldcat: error: {place}: {file} contradicts the data it is derived from: 'mine': " in err
    assert "warning" not in err
    assert EVIL not in out


@pytest.mark.parametrize("change", NAMES_LIE.values(), ids=NAMES_LIE)
def test_no_lookup_shows_an_unmeasured_kernel_or_command_line(
    run: Run, small: BuildResult, tmp_path: Path, change: Change
) -> None:
    """Not on the fast path, nor on the full path in any format, nor in the API; not even with a warning."""
    digest, folder = with_kernel(small), tmp_path / "lie"
    forged(small, folder, {manifest.NAMES: change})
    assert plain_lookup([digest, "--catalog", str(small.folder)]) is not None
    assert plain_lookup([digest, "--catalog", str(folder)]) is None
    for form in ("table", "json", "jsonl", "csv"):
        refused(run("lookup", digest, "--catalog", str(folder), "-f", form), folder, manifest.NAMES)
    with Release.open(folder) as release, pytest.raises(VerificationFailed, match="contradicts the data"):
        release.lookup(digest)
    with pytest.raises(VerificationFailed, match="contradicts the data"):
        OpenRelease.of(Catalog.open(folder), None, None)
    without = digest_by_kernel(small, "sev", kernel=False)
    assert plain_lookup([without, "--catalog", str(folder)]) is not None  # it does not show a kernel


@pytest.mark.parametrize("change", ROWS_LIE.values(), ids=ROWS_LIE)
def test_no_command_on_parquet_files_shows_an_unmeasured_kernel(
    run: Run, small: BuildResult, tmp_path: Path, change: Change
) -> None:
    digest, folder = with_kernel(small), tmp_path / "lie"
    forged(small, folder, {manifest.KERNEL_HASHES: change})
    with pytest.raises(VerificationFailed, match="contradicts the data"):
        lookup_in_parquet(Catalog.open(folder), LaunchDigest.parse(digest))
    options = ("--catalog", str(folder))
    commands: tuple[tuple[str, ...], ...] = (
        ("sql", "SELECT append FROM kernel_hashes", *options),
        ("sql", "--database", str(tmp_path / "views.duckdb"), *options),
        ("explain", digest, *options),
        ("report", str(folder), "--html", str(tmp_path / "report.html")),
        ("diff", str(small.folder), str(folder)),
        ("diff", str(folder), str(small.folder), "--html", str(tmp_path / "diff.html")),
    )
    for command in commands:
        refused(run(*command), folder, manifest.KERNEL_HASHES)
    assert [path.name for path in tmp_path.iterdir()] == ["lie"]


def test_a_signed_false_command_line_is_not_shown(
    run: Run, publisher: Publisher, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command line in `names`, for people, than in Parquet, for auditors: signed, logged and fresh."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("time.time", lambda: 1_800_000_100.0)
    monkeypatch.setattr("catalog.fast.plain_lookup.time", lambda: 1_800_000_100.0)
    digest = with_kernel(small)
    false = forged(small, tmp_path / "lie", {manifest.NAMES: NAMES_LIE["another command line"]})
    place = Place(tmp_path / "place", false, 1_800_000_000)
    for _ in range(2):
        code, out, err = run("lookup", digest, *place.options())
        assert (code, out) == (4, "")
        assert f"{place.log}/releases/1: {manifest.NAMES} contradicts the data it is derived from" in err
        assert plain_lookup([digest, *place.options()]) is None
    assert plain_lookup(["0" * 64, *place.options()]) is not None  # it was verified, and remembered
    code, out, _ = run("audit", str(place.log), "--trust", str(place.trust), "-f", "json", "-q")
    found = [one for one in json.loads(out)["findings"] if one["severity"] == "error"]
    assert code == 1
    assert [(one["rule"], one["subject"]) for one in found] == [("names", manifest.NAMES)]
    assert repr(EVIL) in found[0]["evidence"]
    publisher.publish(false)
    assert not rebuilt(publisher).same
    code, out, _ = run("rebuild", str(place.log), "--trust", str(place.trust), "-f", "json", "-q")
    assert code != 0
    assert manifest.NAMES in out


def test_audit_finds_a_build_renamed_in_names_only(run: Run, small: BuildResult, tmp_path: Path) -> None:
    """A lookup cannot detect it, and marks names as claims."""
    digest, folder = with_kernel(small), tmp_path / "lie"
    rename = in_names(IMAGES, lambda record: record.__setitem__(5, "trusted.fd"))
    forged(small, folder, {manifest.NAMES: rename})
    code, out, _ = run("audit", str(folder), "-f", "json", "-q")
    assert code == 1
    (found,) = json.loads(out)["findings"]
    assert (found["rule"], found["subject"]) == ("names", manifest.NAMES)
    assert "'trusted.fd' instead of 'twin.fd'" in found["evidence"]
    assert run("lookup", digest, "--catalog", str(folder))[0] == 0


def test_no_lookup_at_a_host_shows_a_false_command_line(
    run: Run, small: BuildResult, tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release is signed with a false command line; its range files are those of an honest one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("time.time", lambda: 1_800_000_100.0)
    false = forged(small, tmp_path / "lie", {manifest.KERNEL_HASHES: ROWS_LIE["another command line"]})
    place = Place(tmp_path / "place", false, 1_800_000_000)
    honest = Place(tmp_path / "honest", small, 1_800_000_000)
    assert run("site", str(honest.log), "-o", str(tmp_path / "site"), "--trust", str(honest.trust), "-q")[0] == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another state"))  # two logs with the same key
    made = ("site", str(place.log), "-o", str(tmp_path / "false"), "--trust", str(place.trust), "-q")
    refused(run(*made), f"{place.log}/releases/1", manifest.KERNEL_HASHES)
    index = json.loads((tmp_path / "site/range/1/index.json").read_bytes())
    index["manifest_sha256"] = Catalog.open(false.folder).manifest_sha256
    folder = place.log / "range/1"
    folder.mkdir(parents=True)
    for path in (tmp_path / "site/range/1").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "index.json").write_text(json.dumps(index))
    with serving(place.log, host) as port:
        url = f"http://127.0.0.1:{port}/logs"
        answer = run("lookup", with_kernel(small), "--catalog", url, "--trust", str(place.trust))
        refused(answer, f"{url}/releases/1", manifest.KERNEL_HASHES)


def test_publish_refuses_inconsistent_names(
    run: Run, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder, key = tmp_path / "lie", tmp_path / "log.key"
    forged(small, folder, {manifest.NAMES: NAMES_LIE["another command line"]})
    assert run("keygen", "example.com/log", "--for", "log", "-o", str(key))[0] == 0
    code, out, err = run("publish", str(folder), "--log", str(tmp_path / "log"), "--key", str(key))
    assert (code, out) == (4, "")
    assert "contradicts the data it is derived from" in err
    assert not (tmp_path / "log").exists()
    receipts().keep(Catalog.open(folder).manifest_sha256)  # as a build here, which compares them itself
    assert run("publish", str(folder), "--log", str(tmp_path / "log"), "--key", str(key))[0] == 0


def test_facts_that_follow_from_no_hash_are_shown_as_claims(run: Run, small: BuildResult) -> None:
    """Once for an answer, on the fast path as on the full path; every claimed field is named."""
    digest = digest_by_kernel(small, "sev-snp", kernel=True)
    code, out, _ = run("lookup", digest)
    assert code == 0
    assert out.splitlines()[-1] == f"info: {CLAIMS.text}"
    assert out.count(CLAIMS.text) == 1
    quick = plain_lookup([digest, "--catalog", str(small.folder)])
    assert quick is not None
    assert quick[0] == out
    answer = json.loads(run("lookup", digest, "-f", "json")[1])
    (match, *_) = answer["matches"]
    for name in answer["claims"]:
        value = match
        for part in name.split("."):
            value = value[part]
    bound = set(flat(match)) - set(answer["claims"])
    assert bound == {
        *("launch_digest", "technology", "firmware.sha256", "firmware.size", "firmware.snp_baseline"),
        *("kernel_hashes.table_sha256", "kernel_hashes.kernel_sha256", "kernel_hashes.initrd_sha256"),
        "kernel_hashes.cmdline_sha256",
        *("kernel_hashes.append", "vmm", "vcpus", "listed", "vcpu_signature", "sev_features", "revocation"),
    }
    assert CLAIMS.text not in run("lookup", "0" * 96)[1]
    assert json.loads(run("lookup", "0" * 96, "-f", "json")[1])["claims"] == []


def test_pages_mark_claims(run: Run, small: BuildResult, tmp_path: Path) -> None:
    assert run("report", str(small.folder), "--html", str(tmp_path / "report.html"))[0] == 0
    catalog = Catalog.open(small.folder)
    image = next(iter(image_pages(catalog).values()))("../").decode()
    digest = LaunchDigest.parse(digest_by_kernel(small, "sev-snp", kernel=True))
    found = found_answer(
        catalog, Evidence("launch digest", digest), VerificationInputs(), lambda _: lookup_in_parquet(catalog, digest)
    )
    answer = answer_page(catalog, found, "../", 0).decode()
    for page in ((tmp_path / "report.html").read_text(), image, answer):
        assert CLAIMS.text[1:] in html.unescape(page)
    assert f'CLAIMS = "{CLAIMS.text[0].upper()}{CLAIMS.text[1:60]}' in assets()["page.js"].decode()
