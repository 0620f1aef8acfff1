"""Catalogs and logs of a later version of ldcat: known data is used, unknown data is noted (ADR 25)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from catalog import Release
from catalog.build.builder import BuildResult
from catalog.fast.match import known_technologies
from catalog.fast.plain_lookup import plain_lookup
from catalog.launch.technology import technologies
from catalog.log.log_folder import LogFolder
from catalog.log.records import RevokeRecord, UnknownRecord, encode_leaf, parse_record
from catalog.notes import Note
from catalog.store.catalog import Catalog
from tests.support.catalogs import all_digests
from tests.support.cli import NOWHERE, Run
from tests.support.forged_releases import append, next_record, sign_release
from tests.support.hosts import static_host
from tests.support.later_version import (
    ALONE,
    NAME,
    NOT_CONSIDERED,
    NOT_SEARCHED,
    NOTE_NOT_CONSIDERED,
    NOTE_NOT_SEARCHED,
    RECORD,
    later_catalog,
    later_version,
    publish_record,
)
from tests.support.logs import LOG
from tests.support.published_logs import Place

SAID = "ldcat: note: release 1 of example.com/log: verified against version 1 of the trust note\n"
WARNED = f"ldcat: warning: {NOT_SEARCHED}\n"
REVOKE = RevokeRecord(type="revoke", selector={"technology": "sev-snp"}, severity="revoked", reason="a key leaked")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return later_catalog(tmp_path_factory.mktemp("later"))


@pytest.fixture
def published(later: BuildResult, tmp_path: Path, place: Place) -> Place:
    """The later catalog, published in a log."""
    folder = tmp_path / "published"
    folder.mkdir()
    with later_version():
        return Place(folder, later, place.now)


@pytest.fixture
def recorded(place: Place) -> Place:
    """A log of this version, with one unknown record."""
    place.now += 1
    publish_record(LogFolder(place.log), LOG, place.now)
    return place


def of(built: BuildResult, technology: str) -> str:
    return next(digest.hex() for name, digest in all_digests(built) if name == technology)


def later_digest(built: BuildResult) -> str:
    with later_version():
        return of(built, NAME)


def test_each_technology_is_in_a_file_of_its_name() -> None:
    """The fast path finds the known technologies by these names, without loading them."""
    assert known_technologies() == set(technologies())


def test_a_lookup_searches_the_known_technologies(
    run: Run, later: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--catalog", str(later.folder))
    for technology in ("sev", "sev-es", "sev-snp"):
        digest = of(later, technology)
        assert plain_lookup([digest, *options]) is None
        code, out, err = run("lookup", digest, *options, "-q")
        assert (code, err) == (0, WARNED)
        assert out.startswith("match 1 of ")
        record = json.loads(run("lookup", digest, *options, "-f", "json")[1])
        assert record["notes"][-1] == NOTE_NOT_SEARCHED
        assert {match["technology"] for match in record["matches"]} == {technology}
    code, out, err = run("lookup", later_digest(later), *options)
    assert (code, out) == (1, "")
    assert err.startswith(WARNED)
    with later_version():
        assert run("lookup", of(later, NAME), *options)[::2] == (0, "")


def test_a_damaged_index_is_bypassed_if_a_technology_is_unknown(run: Run, later: BuildResult, tmp_path: Path) -> None:
    shutil.copytree(later.folder, tmp_path / "copy")
    (tmp_path / "copy/sev-snp/launch_digests.index").write_bytes(b"")
    digest = of(later, "sev-snp")
    code, out, err = run("lookup", digest, "--catalog", str(tmp_path / "copy"))
    assert (code, out) == run("lookup", digest, "--catalog", str(later.folder))[:2]
    assert "the index cannot be used" in err


def test_the_files_of_an_unknown_technology_are_not_opened(run: Run, later: BuildResult, tmp_path: Path) -> None:
    """A later version may write them in another format."""
    shutil.copytree(later.folder, tmp_path / "copy")
    for file in (tmp_path / "copy" / NAME).iterdir():
        file.write_bytes(b"of another format")
    for command in (("lookup", of(later, "sev-snp")), ("sql", "FROM configurations"), ("explain", of(later, "sev"))):
        assert run(*command, "--catalog", str(tmp_path / "copy"))[0] == 0


def test_sql_has_the_known_rows(run: Run, later: BuildResult, small: BuildResult) -> None:
    counted = "SELECT count(*) AS rows, count(DISTINCT technology) AS technologies FROM launch_digests"
    code, out, err = run("sql", counted, "--catalog", str(later.folder), "-f", "json")
    rows = sum(entry.rows for entry in small.manifest.technologies.values())
    assert (code, json.loads(out), err) == (0, [{"rows": rows, "technologies": 3}], WARNED)


def test_a_database_has_the_known_rows(run: Run, later: BuildResult, tmp_path: Path) -> None:
    code, _, err = run("sql", "--database", str(tmp_path / "views.duckdb"), "--catalog", str(later.folder))
    assert (code, err) == (0, WARNED)


def test_a_catalog_of_unknown_technologies_is_empty(run: Run, later: BuildResult, tmp_path: Path) -> None:
    options = ("--catalog", str(later_catalog(tmp_path, ALONE).folder))
    code, out, err = run("sql", "SELECT count(*) AS rows FROM launch_digests", *options, "-f", "json")
    assert (code, json.loads(out), err) == (0, [{"rows": 0}], WARNED)
    for digest in (of(later, "sev"), of(later, "sev-snp")):
        assert run("lookup", digest, *options)[0] == 1
    assert run("explain", of(later, "sev-snp"), *options, "--budget", "0.001")[0] in (0, 1, 2)


def test_explain_and_report_have_a_note(run: Run, later: BuildResult, tmp_path: Path) -> None:
    options = ("--catalog", str(later.folder))
    code, out, err = run("explain", of(later, "sev"), *options, "-f", "json")
    assert (code, err, json.loads(out)["notes"]) == (0, WARNED, [NOTE_NOT_SEARCHED])
    code, _, err = run("report", str(later.folder), "--html", str(tmp_path / "report.html"))
    assert (code, err) == (0, WARNED)
    assert "does not know technology" in (tmp_path / "report.html").read_text()


def test_a_diff_compares_the_files_of_an_unknown_technology(
    run: Run, later: BuildResult, small: BuildResult, tmp_path: Path
) -> None:
    code, out, err = run("diff", str(later.folder), str(later.folder))
    assert (code, err) == (0, 2 * WARNED)
    assert f"? {NAME}: this version of ldcat does not know it" in out
    code, out, _ = run("diff", str(small.folder), str(later.folder), "-f", "json")
    record = json.loads(out)
    assert (code, record["unknown_technologies"], record["rows"]) == (1, [NAME], [])
    assert ("unknown technology", NAME, "added") in {
        (one["kind"], one["name"], one["change"]) for one in record["components"]
    }
    shutil.copytree(later.folder, tmp_path / "copy")
    path = tmp_path / "copy/manifest.json"
    entry = json.loads(path.read_text())["files"][f"{NAME}/launch_digests.parquet"]
    path.write_text(path.read_text().replace(entry["sha256"], "0" * 64))
    code, out, _ = run("diff", str(later.folder), str(tmp_path / "copy"))
    assert code == 1
    assert f"~ unknown technology {NAME}: files" in out


def test_an_audit_does_not_succeed(run: Run, later: BuildResult, published: Place) -> None:
    code, out, _ = run("audit", str(later.folder), "-f", "json")
    found = json.loads(out)
    assert (code, found["holds"]) == (1, False)
    (finding,) = found["findings"]
    assert (finding["severity"], finding["rule"], finding["subject"]) == ("error", "known", NAME)
    assert finding["evidence"].startswith("not checked: this version of ldcat does not know technology 'cca'")
    with later_version():
        assert run("audit", str(later.folder))[0] == 0
    code, out, _ = run("audit", str(published.log), "--trust", str(published.trust), "-f", "json")
    errors = [one for one in json.loads(out)["findings"] if one["severity"] == "error"]
    assert (code, {one["rule"] for one in errors}) == (1, {"known"})
    assert {one["subject"] for one in errors} == {NAME, "entries"}


def test_a_published_release_is_verified_each_time(run: Run, published: Place, later: BuildResult) -> None:
    """Otherwise, the fast path would omit the note, or a later version would use an index that was never checked."""
    digest = of(later, "sev-snp")
    for _ in range(2):
        code, _, err = run("lookup", digest, *published.options())
        assert (code, err) == (0, SAID + WARNED)
        assert plain_lookup([digest, *published.options()]) is None
    with later_version():
        code, _, err = run("lookup", of(later, NAME), *published.options())
        assert (code, err) == (0, SAID)


@pytest.mark.parametrize("what", ["published", "recorded"])
def test_the_log_of_a_folder_is_remembered(
    run: Run, request: pytest.FixtureRequest, small: BuildResult, what: str
) -> None:
    """The log is remembered even if the release is not: without its checkpoint it is not opened as an own catalog."""
    log: Place = request.getfixturevalue(what)
    assert run("lookup", of(small, "sev"), *log.options())[0] == 0
    shutil.copytree(log.log / "releases/1", log.log, dirs_exist_ok=True)
    (log.log / "checkpoint").unlink()
    code, out, err = run("lookup", of(small, "sev"), "--catalog", str(log.log))
    assert (code, out, "is not a log now, and was example.com/log" in err) == (4, "", True)


def test_a_later_version_checks_the_index_again(
    run: Run, published: Place, later: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[list[str]] = []
    monkeypatch.setattr(
        "catalog.store.index_check.check_index", lambda catalog: checked.append(sorted(catalog.manifest.known))
    )
    for _ in range(2):
        assert run("lookup", of(later, "sev"), *published.options())[0] == 0
    with later_version():
        assert run("lookup", of(later, "sev"), *published.options())[0] == 0
    assert checked == [["sev", "sev-es", "sev-snp"], [NAME, "sev", "sev-es", "sev-snp"]]


def test_a_lookup_at_a_host_finds_known_rows(run: Run, published: Place, later: BuildResult, tmp_path: Path) -> None:
    """With the files of the release, and with the range files of the later version."""
    trust = ("--trust", str(published.trust))
    with later_version():
        assert run("site", str(published.log), "-o", str(tmp_path / "logs"), *trust)[0] == 0
    for log in (published.log, tmp_path / "logs"):
        with static_host(log) as host:
            url = host.url.rstrip("/")
            code, out, err = run("lookup", of(later, "sev-snp"), "--catalog", url, *trust, "-f", "json")
            assert (code, err) == (0, SAID + WARNED)
            assert json.loads(out)["notes"][-1] == NOTE_NOT_SEARCHED
            code, out, err = run("lookup", later_digest(later), "--catalog", url, *trust)
            assert (code, out) == (1, "")
            assert WARNED in err


def test_a_site_lists_the_known_rows(run: Run, published: Place, later: BuildResult, tmp_path: Path) -> None:
    trust = ("--trust", str(published.trust))
    code, _, err = run("site", str(published.log), "-o", str(tmp_path / "out"), *trust)
    assert (code, err) == (0, SAID + WARNED)
    page = json.loads((tmp_path / "out/page.json").read_text())
    assert (page["notes"], sorted(page["digest_digits"])) == ([NOTE_NOT_SEARCHED], ["sev", "sev-es", "sev-snp"])
    assert page["axes"]["technology"] == ['"sev"', '"sev-es"', '"sev-snp"']
    assert "does not know technology" in (tmp_path / "out/index.html").read_text()


def test_the_python_api_warns(published: Place, later: BuildResult, caplog: pytest.LogCaptureFixture) -> None:
    with Release.open(published.log, published.trust) as release:
        assert caplog.messages == [NOT_SEARCHED]
        assert {match.technology for match in release.lookup(of(later, "sev-es"))} == {"sev-es"}
        assert not release.lookup(later_digest(later))


def test_a_proof_of_an_unknown_technology_has_a_note(
    run: Run, published: Place, later: BuildResult, tmp_path: Path
) -> None:
    with later_version():
        code, bundle, _ = run("prove", of(later, NAME), "--catalog", str(published.log))
    assert code == 0
    (tmp_path / "proof").write_text(bundle.splitlines()[0])
    code, out, err = run("verify-proof", str(tmp_path / "proof"), "--trust", str(published.trust))
    assert (code, "match" in out) == (0, True)
    assert err == ""
    assert "  warning: this version of ldcat does not know technology 'cca': the row's fields are not checked\n" in out
    code, _, err = run("prove", later_digest(later), "--catalog", str(published.log))
    assert (code, WARNED in err) == (1, True)


@pytest.fixture
def keys(run: Run, tmp_path: Path) -> dict[str, str]:
    for name, role in (("example.com/own", "log"), ("w.example", "witness")):
        assert run("keygen", name, "--for", role, "-o", str(tmp_path / f"{role}.key"))[0] == 0
    return {role: str(tmp_path / f"{role}.key") for role in ("log", "witness")}


def test_publish_refuses_a_later_catalog(run: Run, later: BuildResult, keys: dict[str, str], tmp_path: Path) -> None:
    code, _, err = run("publish", str(later.folder), "--log", str(tmp_path / "own"), "--key", keys["log"])
    assert (code, "its 6 rows are not published" in err, "use a newer version" in err) == (2, True, True)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("what", ["published", "recorded"])
def test_unknown_data_is_not_signed(
    run: Run, request: pytest.FixtureRequest, small: BuildResult, keys: dict[str, str], tmp_path: Path, what: str
) -> None:
    """publish, revoke and rebuild --cosign leave the log unchanged; cosign states only that it is consistent."""
    log: Place = request.getfixturevalue(what)
    before = (log.log / "checkpoint").read_bytes()
    with pytest.raises(Exception, match="this version of ldcat does not know") as refused:
        log.publish()
    assert getattr(refused.value, "hint", None) == "use a newer version of ldcat, which knows it"
    with pytest.raises(Exception, match="this version of ldcat does not know"):
        log.publish(REVOKE)
    trust = ("--trust", str(log.trust))
    code, out, _ = run("rebuild", str(log.log), *trust, "--cosign", "--key", keys["witness"], "-f", "json")
    record = json.loads(out)
    assert (code, record["same"], record["cosigned"]) == (4, False, None)
    assert (log.log / "checkpoint").read_bytes() == before
    assert any("does not know" in one["what"] for one in record["differences"])
    assert run("cosign", "--log", str(log.log), "--key", keys["witness"], *trust)[0] == 0


def test_doctor_and_monitor_have_a_note(run: Run, published: Place) -> None:
    trust = ("--trust", str(published.trust))
    code, out, _ = run("doctor", str(published.log), *trust, "-f", "json")
    notes = [one for one in json.loads(out)["findings"] if "does not know technology" in one["what"]]
    assert (code, [one["severity"] for one in notes]) == (0, ["note"])
    with static_host(published.log) as host:
        code, out, err = run("monitor", host.url.rstrip("/"), *trust, "-f", "json")
    line = "this version of ldcat does not know technology 'cca': its 6 rows are not looked at"
    assert (code, json.loads(out)["notes"], err) == (
        0,
        [Note("technology-unknown", line).to_dict()],
        f"ldcat: warning: {line}\n",
    )


def test_a_record_of_a_later_version_is_never_a_row() -> None:
    assert parse_record(RECORD) == UnknownRecord("endorse")


@pytest.mark.parametrize(
    "leaf",
    [
        b'{"type":"Endorse"}',
        b'{"type":""}',
        b'{"type":7}',
        b'{"a":1}',
        b'{"type":"endorse","a":1}',
        b'{"type": "endorse"}',
        b'{"type":"endorse","type":"endorse"}',
        b'{"a":NaN,"type":"endorse"}',
        b'{"a":' + b"9" * 5000 + b',"type":"endorse"}',
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b',"type":"endorse"}',
        b'["endorse"]',
        b"endorse",
        b'{"launch_digest":"00","type":"digest"}',
        b'{"type":"release","more":1}',
    ],
)
def test_a_leaf_that_is_not_canonical_is_refused(leaf: bytes) -> None:
    with pytest.raises(Exception, match=r"leaf: |record: ") as refused:
        parse_record(leaf)
    assert type(refused.value).__name__ == "MalformedRecord"


def test_a_log_with_an_unknown_record_is_answered_with_a_warning_each_time(
    run: Run, recorded: Place, small: BuildResult, caplog: pytest.LogCaptureFixture
) -> None:
    digest, warned = of(small, "sev-snp"), f"ldcat: warning: {NOT_CONSIDERED}\n"
    for _ in range(2):
        code, _, err = run("lookup", digest, *recorded.options())
        assert (code, err.endswith(warned)) == (0, True)
        assert plain_lookup([digest, *recorded.options()]) is None
    record = json.loads(run("lookup", digest, *recorded.options(), "-f", "json")[1])
    assert record["notes"][-1] == NOTE_NOT_CONSIDERED
    for command in (("sql", "SELECT 1"), ("explain", digest)):
        code, _, err = run(*command, *recorded.options())
        assert (code, warned in err) == (0, True)
    with Release.open(recorded.log, recorded.trust):
        assert caplog.messages == [NOT_CONSIDERED]
    trust = ("--trust", str(recorded.trust))
    with static_host(recorded.log) as host:
        url = host.url.rstrip("/")
        code, _, err = run("lookup", digest, "--catalog", url, *trust)
        assert (code, warned in err) == (0, True)
        code, out, err = run("monitor", url, *trust, "-f", "json")
        assert (code, json.loads(out)["notes"], err) == (0, [NOTE_NOT_CONSIDERED], warned)
    code, out, _ = run("doctor", str(recorded.log), *trust, "-f", "json")
    assert NOT_CONSIDERED in {one["what"] for one in json.loads(out)["findings"] if one["severity"] == "note"}
    code, out, _ = run("audit", str(recorded.log), *trust, "--remeasure", "0", "-f", "json")
    errors = [one for one in json.loads(out)["findings"] if one["severity"] == "error"]
    assert (code, [one["evidence"] for one in errors]) == (1, [f"not checked: {NOT_CONSIDERED}"])


def test_revocations_before_an_unknown_record_still_count(run: Run, place: Place, small: BuildResult) -> None:
    place.publish(REVOKE)
    publish_record(LogFolder(place.log), LOG, place.now + 1, REVOKE)
    code, out, err = run("lookup", of(small, "sev-snp"), *place.options())
    told = "DANGER: revoked by the publisher of this log: a key leaked\n"
    assert (code, told in out, NOT_CONSIDERED in err) == (7, True, True)
    with static_host(place.log) as host:
        at_host = ("--catalog", host.url.rstrip("/"), "--trust", str(place.trust))
        assert run("lookup", of(small, "sev-snp"), *at_host)[0] == 7


@pytest.mark.parametrize(("listed", "code"), [((), 0), ((REVOKE,), 11)])
def test_a_revocation_before_an_unknown_record_of_its_release_is_not_listed(
    run: Run, place: Place, small: BuildResult, listed: tuple[RevokeRecord, ...], code: int
) -> None:
    """Among rows it has no effect, both for readers of every leaf and for readers of the last ones."""
    log = LogFolder(place.log)
    sign_release(log, LOG, next_record(log, place.now + 1, listed), listed, encode_leaf(REVOKE), RECORD)
    with static_host(place.log) as host:
        at_host = ("--catalog", host.url.rstrip("/"), "--trust", str(place.trust))
        for options in (place.options(), at_host):
            found, _, err = run("lookup", of(small, "sev-snp"), *options)
            assert (found, NOT_CONSIDERED in err) == (code, code == 0)


def test_the_last_leaf_is_the_record_of_a_release(run: Run, place: Place, small: BuildResult) -> None:
    append(LogFolder(place.log), LOG, RECORD)
    code, out, err = run("lookup", NOWHERE, *place.options())
    assert (code, out, "is not a release record" in err) == (11, "", True)


def test_all_known_digests_of_the_later_catalog_are_found(run: Run, later: BuildResult, small: BuildResult) -> None:
    """The two catalogs have the same components, and some rows in common."""
    assert Catalog.open(later.folder).manifest.known.keys() == small.manifest.technologies.keys()
    found = {(name, digest) for name, digest in all_digests(small)}
    with later_version():
        assert found == {(name, digest) for name, digest in all_digests(later) if name != NAME}
