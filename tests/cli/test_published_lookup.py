"""`lookup`, `explain` and `sql` on a published release: verified once, or used with a warning."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.fast.plain_lookup import plain_lookup
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord
from catalog.publish.publish import publish
from catalog.state.folders import receipts
from catalog.store.catalog import Catalog
from catalog.transparency.trust import read_trust
from catalog.values import replace
from catalog.verify import verify_release
from tests.support.catalogs import digest_of
from tests.support.cli import NOWHERE, Run
from tests.support.logs import LOG, signed, signer
from tests.support.published_logs import Place
from tests.support.trust_notes import trust_note

SAID = "ldcat: note: release 1 of example.com/log: verified against version 1 of the trust note\n"


def test_the_first_lookup_verifies_and_later_ones_take_the_fast_path(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_of(small)
    assert plain_lookup([digest, *place.options()]) is None
    code, out, err = run("lookup", digest, *place.options())
    assert (code, err) == (0, SAID)
    assert plain_lookup([digest, *place.options()]) == (out, err, code)
    assert plain_lookup([digest, "-q", *place.options()]) == (out, "", code)
    monkeypatch.setattr(verify_release, "verify_release", None)  # the full path does not verify it again either
    assert run("lookup", digest, *place.options()) == (code, out, err)
    code, out, err = run("lookup", NOWHERE[:64], *place.options())
    assert code == 1
    assert plain_lookup([NOWHERE[:64], *place.options()]) == (out, err, code)
    assert err.startswith(SAID)


def test_the_trust_note_from_the_environment(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_TRUST", str(place.trust))
    digest = digest_of(small)
    found = run("lookup", digest, "--catalog", str(place.log))
    assert found[0] == 0
    assert plain_lookup([digest, "--catalog", str(place.log)]) == (found[1], found[2], 0)
    assert plain_lookup([digest, "--catalog", str(small.folder)]) is None  # which does not apply to this catalog
    code, _, err = run("lookup", digest, "--catalog", str(small.folder), "-q")
    assert (code, "was not built here: NOT VERIFIED" in err) == (0, True)
    receipts().keep(Catalog.open(small.folder).manifest_sha256)
    code, _, err = run("lookup", digest, "--catalog", str(small.folder))
    assert (code, err) == (0, "")
    code, _, err = run("lookup", digest, "--catalog", str(small.folder), "--trust", str(place.trust))
    assert (code, "nothing to verify" in err) == (2, True)  # the same file, given explicitly


def test_json_has_what_was_verified(run: Run, place: Place, small: BuildResult) -> None:
    code, out, _ = run("lookup", digest_of(small), *place.options(), "-f", "json")
    release = json.loads(out)["release"]
    assert (code, release["verified"], release["release"], release["trust_version"]) == (0, True, 1, 1)
    assert release["fresh_until"] == place.now + 86400


def test_a_revoked_row_is_found_with_its_own_exit_code(run: Run, place: Place, small: BuildResult) -> None:
    digest = digest_of(small)
    assert run("lookup", digest, *place.options())[0] == 0
    place.publish(
        RevokeRecord(type="revoke", selector={"launch_digest": digest}, severity="revoked", reason="a key leaked")
    )
    assert plain_lookup([digest, *place.options()]) is None
    code, out, _ = run("lookup", digest, *place.options())
    assert code == 7
    assert out.startswith("DANGER: revoked by the publisher of this log: a key leaked\n")
    assert plain_lookup([digest, *place.options()]) is None
    record = json.loads(run("lookup", digest, *place.options(), "-f", "json")[1])
    assert record["matches"][0]["revocation"] == {"severity": "revoked", "reason": "a key leaked"}
    code, out, _ = run("explain", digest, *place.options(), "-f", "json")
    assert code == 7
    assert json.loads(out)["explanations"][0]["revocation"]["reason"] == "a key leaked"
    code, out, err = run("sql", "SELECT severity, reason, selector FROM revocations", *place.options(), "-f", "csv")
    assert (code, out.splitlines()[1]) == (0, f'revoked,a key leaked,"{{""launch_digest"":""{digest}""}}"')
    assert "warning: the log revokes or deprecates some rows" in err
    counted = "SELECT revocation, revocation_reason, count(*) FROM {} GROUP BY ALL ORDER BY ALL"
    rows = sum(entry.rows for entry in small.manifest.technologies.values())
    for view, live, revoked in (("launch_digests", rows - 1, 1), ("configurations", "", "")):
        code, out, _ = run("sql", counted.format(view), *place.options(), "-f", "csv")
        assert code == 0
        assert f"revoked,a key leaked,{revoked}" in out
        assert f"\n,,{live}" in out


def test_an_unverified_release_is_refused_or_warned_about(run: Run, place: Place, small: BuildResult) -> None:
    digest = digest_of(small)
    for folder in (place.log, place.log / "releases/1"):
        for command in (("lookup", digest), ("explain", digest), ("sql", "SELECT 1")):
            code, out, err = run(*command, "--catalog", str(folder))
            assert (code, out) == (2, "")
            assert "no trust note is given" in err
            assert "--insecure-skip-verify" in err
        assert plain_lookup([digest, "--catalog", str(folder)]) is None
        code, out, err = run("lookup", digest, "--catalog", str(folder), "--insecure-skip-verify", "-q")
        assert code == 0
        assert "warning: release 1 of example.com/log: NOT VERIFIED" in err
    record = json.loads(run("lookup", digest, "--catalog", str(folder), "--insecure-skip-verify", "-f", "json")[1])
    assert (record["release"]["verified"], record["release"]["trust_version"]) == (False, None)


def test_an_unpublished_catalog_cannot_be_verified(run: Run, place: Place, small: BuildResult) -> None:
    for option in (("--trust", str(place.trust)), ("--insecure-skip-verify",)):
        code, _, err = run("lookup", digest_of(small), "--catalog", str(small.folder), *option)
        assert code == 2
        assert "is not published in a log" in err


@pytest.mark.parametrize(
    ("damage", "code", "part"),
    [
        ("stale", 8, "this checkpoint is stale"),
        ("older", 9, "were seen before"),
        ("signer", 6, "not signed by any trusted key of"),
        ("manifest", 4, "is not the manifest that release 1"),
        ("trust", 3, "the trust note has no signatures"),
        ("root", 6, "0 of 1 root keys signed this trust note"),
    ],
)
def test_each_refusal_has_its_own_exit_code(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch, damage: str, code: int, part: str
) -> None:
    digest = digest_of(small)
    shutil.copytree(place.log, place.log.with_name("before"))
    if damage == "stale":
        assert run("lookup", digest, *place.options())[0] == 0
        monkeypatch.setattr("time.time", lambda: place.now + 86401.0)
        monkeypatch.setattr("catalog.fast.plain_lookup.time", lambda: place.now + 86401.0)
    elif damage == "older":
        place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="r"))
        assert run("lookup", digest, *place.options())[0] == 0
        shutil.rmtree(place.log)
        place.log.with_name("before").rename(place.log)
    elif damage == "signer":
        text = (place.log / "checkpoint").read_text().split("\n\n")[0] + "\n"
        (place.log / "checkpoint").write_bytes(bytes(signed(text, signer("example.com/other"))))
    elif damage == "manifest":
        path = place.log / "releases/1/manifest.json"
        path.write_bytes(path.read_bytes().replace(b'"name": "small"', b'"name": "smell"'))
    elif damage == "trust":
        place.trust.write_bytes(b"nobody")
    else:
        place.trust.write_bytes(bytes(signed(place.trust.read_text().split("\n\n\N{EM DASH}")[0] + "\n", signer("x"))))
    for command in (("lookup", digest), ("explain", digest)):
        assert plain_lookup([digest, *place.options()]) is None
        found, out, err = run(*command, *place.options())
        assert (found, out) == (code, "")
        assert part in err


def test_a_log_without_its_checkpoint_is_not_opened_as_an_own_catalog(
    run: Run, place: Place, small: BuildResult
) -> None:
    digest, release = digest_of(small), place.log / "releases/1"
    for folder in (place.log, release):
        assert run("lookup", digest, "--catalog", str(folder), "--trust", str(place.trust))[0] == 0
    (place.log / "manifest.json").write_bytes((release / "manifest.json").read_bytes())
    assert run("lookup", digest, *place.options())[0] == 0  # it is still a log
    shutil.copytree(release, place.log, dirs_exist_ok=True)
    (place.log / "checkpoint").unlink()
    for options in ((), ("--trust", str(place.trust)), ("--insecure-skip-verify",)):
        code, out, err = run("lookup", digest, "--catalog", str(release), *options)
        assert (code, out) == (5, "")
        assert "is named like a release" in err
        assert plain_lookup([digest, "--catalog", str(release)]) is None
    code, out, err = run("lookup", digest, "--catalog", str(place.log))
    assert (code, out) == (4, "")
    assert "is not a log now, and was example.com/log when it was verified last" in err
    assert plain_lookup([digest, "--catalog", str(place.log)]) is None
    Path(err.rsplit("rm ", 1)[1].strip()).unlink()
    assert run("lookup", digest, "--catalog", str(place.log))[0] == 0
    assert plain_lookup([digest, "--catalog", str(place.log)]) is not None


def test_a_folder_whose_log_was_replaced(run: Run, place: Place, small: BuildResult) -> None:
    assert run("lookup", digest_of(small), *place.options())[0] == 0
    other = signer("example.com/other")
    shutil.rmtree(place.log)
    memory = LastCheckpoint(place.log.with_name("other.note"))
    publish(Catalog.open(small.folder), LogFolder(place.log), [other], memory, now=place.now)
    place.trust.write_bytes(bytes(trust_note(f"log {LOG.key}\nlog {other.key}\nquorum none\n")))
    code, out, err = run("lookup", digest_of(small), *place.options())
    assert (code, out) == (4, "")
    assert "is now log example.com/other; it was log example.com/log" in err


def test_builds_of_a_release_are_available_once_it_is_verified(run: Run, place: Place, small: BuildResult) -> None:
    name = min(Catalog.open(small.folder).builds)
    assert run("inspect", name, "--catalog", str(place.log))[0] == 2
    code, out, err = run("inspect", name, *place.options(), "-f", "json")
    assert (code, json.loads(out)["name"], err) == (0, name, SAID)
    sev = ("-t", "sev")
    assert run("measure", name, *sev, "--catalog", str(place.log))[:2] == (2, "")
    assert run("measure", name, *sev, *place.options(), "-q")[0] == 0
    assert "nothing to verify" in run("inspect", name, "--trust", str(place.trust))[2]
    path = place.log / "releases/1/components/firmware.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    for command in (("inspect", name), ("measure", name, *sev)):
        assert run(*command, *place.options())[:2] == (4, "")


def test_a_release_gets_no_database_and_cannot_be_published(run: Run, place: Place, tmp_path: Path) -> None:
    code, _, err = run("sql", "--database", str(tmp_path / "views.duckdb"), *place.options())
    assert (code, "--database is not for a published release" in err) == (2, True)
    assert not (tmp_path / "views.duckdb").exists()
    key = tmp_path / "other.key"
    assert run("keygen", "example.com/other", "--for", "log", "-o", str(key))[0] == 0
    to = ("--log", str(tmp_path / "other"), "--key", str(key))
    for folder in (place.log, place.log / "releases/1"):
        code, _, err = run("publish", str(folder), *to)
        assert (code, "is already published in a log" in err) == (2, True)
    assert not (tmp_path / "other").exists()


def test_a_newer_trust_note_and_one_inside_the_log(run: Run, place: Place, small: BuildResult) -> None:
    digest, inside = digest_of(small), place.log / "trust.note"
    inside.write_bytes(place.trust.read_bytes())
    for trust in (inside, place.trust):
        code, _, err = run("lookup", digest, "--catalog", str(place.log), "--trust", str(trust), "-q")
        assert (code, "whoever can write there decides whom you trust" in err) == (0, trust == inside)
        quick = plain_lookup([digest, "--catalog", str(place.log), "--trust", str(trust)])
        assert (quick is None) is (trust == inside)
    place.publish(trust=replace(read_trust(place.trust.read_bytes()), version=4))
    for _ in range(2):
        code, _, err = run("lookup", digest, *place.options(), "-q")
        assert (code, "uses version 4 of the trust note" in err) == (0, True)
        assert plain_lookup([digest, *place.options()]) is None


def test_a_release_is_refused_if_the_seen_checkpoint_cannot_be_stored(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, state = digest_of(small), tmp_path / "state/ldcat"
    state.mkdir(parents=True)
    (state / "verified").write_bytes(b"")  # no folder for state: it is verified each time
    for _ in range(2):
        assert run("lookup", digest, *place.options())[::2] == (0, SAID)
        assert plain_lookup([digest, *place.options()]) is None
    seen = state / "seen/example.com%2Flog.note"
    seen.write_bytes(b"damaged")
    code, out, err = run("lookup", digest, *place.options())
    assert (code, out) == (3, "")
    assert f"{seen} is not a checkpoint" in err
    shutil.rmtree(state / "seen")
    (state / "seen").write_bytes(b"")
    code, out, err = run("lookup", digest, *place.options())
    assert (code, out) == (5, "")
    assert "XDG_STATE_HOME" in err


def test_without_a_home_folder_the_current_one_is_not_used(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_of(small)
    assert run("lookup", digest, *place.options())[0] == 0
    assert plain_lookup([digest, *place.options()]) is not None
    monkeypatch.chdir(tmp_path)
    for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(variable, "here")
    for folder in ("here", "here/.local/share"):
        shutil.copytree(small.folder, tmp_path / folder / "ldcat/catalog")
    assert plain_lookup([digest, *place.options()]) is None
    assert plain_lookup([digest]) is None
    for options in ((), place.options()):
        code, out, err = run("lookup", digest, *options)
        assert (code, out, "there is no home folder" in err) == (5, "", True)


def test_a_deleted_current_folder(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert plain_lookup([digest_of(small), "--catalog", "log"]) is None
    code, _, err = run("lookup", digest_of(small), "--catalog", "log", "--trust", str(place.trust))
    assert (code, "log: no such file or directory" in err) == (5, True)
    monkeypatch.chdir(tmp_path)


def test_concurrent_lookups_remember_the_newest_checkpoint(place: Place, small: BuildResult) -> None:
    digest = digest_of(small)
    before = place.log.with_name("before")
    shutil.copytree(place.log, before)
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="r"))
    script = f"import time; time.time = lambda: {place.now}; from catalog.__main__ import main; main()"
    command = [sys.executable, "-c", script, "lookup", digest, "-q", "--trust", str(place.trust), "--catalog"]
    folders = [str(place.log), str(before)] * 3
    running = [subprocess.Popen([*command, folder], stdout=subprocess.DEVNULL) for folder in folders]
    codes = [process.wait() for process in running]
    assert set(codes[::2]) == {0}
    assert set(codes[1::2]) <= {0, 9}
    assert (
        LastCheckpoint(Path(os.environ["XDG_STATE_HOME"]) / "ldcat/seen/example.com%2Flog.note").read()
        == LogFolder(place.log).checkpoint()
    )
