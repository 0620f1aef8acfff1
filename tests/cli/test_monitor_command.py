"""`ldcat monitor`: changes of a hosted log; a fork is kept as evidence; each failure has its own exit code."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import VerificationFailed
from catalog.log.log_folder import LogFolder
from catalog.log.records import RevokeRecord, encode_leaf
from catalog.net import static_host
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store.endorsements import endorsements_file
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from tests.support.cli import Run
from tests.support.endorsed_digests import listed, with_endorsed
from tests.support.forged_catalogs import forged
from tests.support.forged_releases import altered, next_record, sign_release
from tests.support.hosts import serving
from tests.support.logs import LOG, ORIGIN, signed, signer
from tests.support.published_logs import Place

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")

RESTORE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="restored", reason="good")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_host, "_PAUSES", ())


@pytest.fixture
def url(place: Place) -> Iterator[str]:
    """The URL of a host that serves the log's folder."""
    with serving(place.log) as port:
        yield f"http://127.0.0.1:{port}/logs"


class Look:
    """Runs the monitor once, like a cron job."""

    def __init__(self, run: Run, place: Place, url: str) -> None:
        self._run, self._place, self._url = run, place, url

    def __call__(self, code: int = 0, *more: str) -> dict[str, Any]:
        arguments = ("monitor", self._url, "--trust", str(self._place.trust), "-f", "json", *more)
        found, out, err = self._run(*arguments)
        assert found == code, err
        record: dict[str, Any] = json.loads(out)
        assert (record["error"] is None) == (code == 0)
        if code:
            assert (record["error"]["exit_code"], record["change"]) == (code, None)
            assert f"ldcat: error: {record['error']['message']}" in err
        return record


@pytest.fixture
def look(run: Run, place: Place, url: str) -> Look:
    return Look(run, place, url)


def other_log(place: Place, small: BuildResult, folder: Path) -> Place:
    """Another log with the same name and key, whose first release was made at another time."""
    folder.mkdir()
    return Place(folder, small, place.now + 7)


def replace_with(place: Place, other: Place) -> None:
    shutil.rmtree(place.log)
    shutil.copytree(other.log, place.log)


def test_a_change_is_reported_once(look: Look, place: Place, run: Run, url: str) -> None:
    first = look()
    assert (first["change"], first["size_before"], first["last_release"], first["releases"]) == ("first", None, 1, [])
    assert (first["origin"], first["url"], first["signers"]) == (ORIGIN, url, [{"name": ORIGIN, "time": None}])
    assert look()["change"] == "unchanged"
    place.publish(REVOKE)
    place.publish(RESTORE)
    new = look()
    assert (new["change"], new["size_before"], new["last_release"]) == ("new", first["size"], 3)
    assert [(one["release"], one["revocations"]) for one in new["releases"]] == [
        (2, [{"selector": {"vcpus": 3}, "severity": "revoked", "reason": "bad"}]),
        (3, [{"selector": {"vcpus": 3}, "severity": "restored", "reason": "good"}]),
    ]
    assert look()["change"] == "unchanged"
    place.publish(REVOKE)
    code, out, err = run("monitor", url, "--trust", str(place.trust))
    assert (code, err) == (0, "")
    assert (
        out.splitlines()[0] == f"new  {ORIGIN} at {url}: {new['size'] + 2:,} leaves, {new['size']:,} at the last check"
    )
    assert out.splitlines()[1].startswith(f"  release 4 is the last one; signed by {ORIGIN}; fresh for ")
    assert out.splitlines()[3:] == ["    x revoked: vcpus 3: bad"]
    assert run("monitor", url, "--trust", str(place.trust), "--quiet")[1:] == ("", "")
    assert run("monitor", url, "--trust", str(place.trust), "-f", "csv")[0] == 2


def evidence_of(error: dict[str, Any]) -> dict[str, bytes]:
    folder = Path(error["message"].rpartition("both notes are kept in ")[2])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_checkpoints_of_the_same_size(look: Look, place: Place, small: BuildResult, tmp_path: Path) -> None:
    look()
    before = (place.log / "checkpoint").read_bytes()
    replace_with(place, other_log(place, small, tmp_path / "other"))
    for _ in range(2):  # and each time after
        files = evidence_of(look(4, "--evidence", str(tmp_path / "evidence"))["error"])
        assert files == {"before.note": before, "now.note": (place.log / "checkpoint").read_bytes()}
    assert len(list((tmp_path / "evidence").iterdir())) == 1
    checkpoints = []
    for name in ("before.note", "now.note"):  # everybody with the log's key can verify it
        note = Note.parse(files[name])
        note.verify([LOG.key])
        checkpoints.append(Checkpoint.parse(note.text))
    assert checkpoints[0].size == checkpoints[1].size
    assert checkpoints[0].root != checkpoints[1].root


def test_a_later_inconsistent_checkpoint(look: Look, place: Place, small: BuildResult, tmp_path: Path) -> None:
    look()
    other = other_log(place, small, tmp_path / "other")
    other.publish(REVOKE)
    replace_with(place, other)
    files = evidence_of(look(4)["error"])
    before, now = (Checkpoint.parse(Note.parse(files[name]).text) for name in ("before.note", "now.note"))
    prefix, *proof = map(base64.b64decode, files["proof.txt"].split())
    merkle.verify_consistency(before.size, now.size, proof, prefix, now.root)
    assert prefix != before.root  # so no tile makes the earlier tree a part of the later one
    with pytest.raises(VerificationFailed):
        merkle.verify_consistency(before.size, now.size, proof, before.root, now.root)


def test_a_log_that_is_rolled_back_and_then_restored(look: Look, place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.log, tmp_path / "old")
    place.publish(REVOKE)
    newer = look()
    shutil.move(place.log, tmp_path / "new")
    shutil.copytree(tmp_path / "old", place.log)
    assert "the tree size went back from" in look(9)["error"]["message"]
    shutil.rmtree(place.log)
    shutil.copytree(tmp_path / "new", place.log)
    assert (look()["change"], look()["size"]) == ("unchanged", newer["size"])


def test_damaged_tiles_are_not_a_fork(look: Look, place: Place, tmp_path: Path) -> None:
    look()
    place.publish(REVOKE)
    for tile in (place.log / "tile/0").rglob("*"):
        if tile.is_file():
            data = bytearray(tile.read_bytes())
            data[0] ^= 1
            tile.write_bytes(data)
    error = look(4, "--evidence", str(tmp_path / "evidence"))["error"]
    assert "the tiles of" in error["message"]
    assert not (tmp_path / "evidence").exists()


def test_a_stale_checkpoint(look: Look, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    look()
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0 + 86400 * 2)
    assert "is stale" in look(8)["error"]["message"]
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0 + 10**8)
    assert "expired" in look(4)["error"]["message"]


def test_a_checkpoint_signed_by_another_key(look: Look, place: Place) -> None:
    note = Note.parse((place.log / "checkpoint").read_bytes())
    (place.log / "checkpoint").write_bytes(bytes(Note(note.text, ())) + "— nobody.example AAAAAAAA\n".encode())
    look(6)
    (place.log / "checkpoint").write_bytes(b"<html>")
    look(3)
    (place.log / "checkpoint").unlink()
    assert "status 404" in look(5)["error"]["message"]


def test_a_fork_is_detected_before_the_quorum_is_checked(
    look: Look, place: Place, small: BuildResult, tmp_path: Path
) -> None:
    """Otherwise, a fork could be hidden by removing the cosignatures."""
    look()
    head = place.trust.read_text().partition("\n\n")[0]
    witness = signer("witness.example", SignatureType.COSIGNATURE_ML_DSA_44)
    policy = f"log {LOG.key}\nwitness w {witness.key}\nquorum w\n"
    place.trust.write_bytes(bytes(signed(f"{head}\n\n{policy}", signer("root.example"))))
    replace_with(place, other_log(place, small, tmp_path / "other"))
    assert "fork of" in look(4)["error"]["message"]
    (tmp_path / "state/ldcat/watched").rename(tmp_path / "forgotten")
    look(6)


def test_repeated_monitoring(
    run: Run, place: Place, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            place.publish(REVOKE)
        elif len(slept) == 2:
            shutil.rmtree(place.log)
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr("catalog.cli.commands.monitor.time.sleep", sleep)
    code, out, err = run("monitor", url, "--trust", str(place.trust), "--every", "60", "-f", "jsonl")
    assert code == 130
    assert [json.loads(line)["change"] for line in out.splitlines()] == ["first", "new", None]
    assert slept == [60, 60, 60]
    assert "HTTP status 404" in err


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("ftp://example.com/",), 2, "only https is"),
        (("https://user:secret@example.com/",), 2, "contains a user name or a password"),
        (("/a/folder",), 2, "is not a URL"),
        (("http://127.0.0.1:9/logs",), 5, "does not answer"),
        (("http://127.0.0.1:9/logs", "--every", "soon"), 2, "is not a number"),
    ],
)
def test_invalid_arguments_are_refused(
    run: Run, place: Place, arguments: tuple[str, ...], code: int, part: str
) -> None:
    found, _, err = run("monitor", *arguments, "--trust", str(place.trust))
    assert (found, part in err) == (code, True), err
    assert "secret" not in err
    assert run("monitor", arguments[0])[0] == 2


FIRST, SECOND = listed(svn=1), listed(svn=2)


def with_list(built: BuildResult, folder: Path, *records: EndorsedRecord) -> BuildResult:
    return forged(built, folder, with_endorsed(endorsements_file(records)))


def test_endorsed_digests_are_listed_when_they_come_and_go(
    look: Look, place: Place, small: BuildResult, tmp_path: Path, run: Run, url: str
) -> None:
    assert look()["endorsements"] == {"added": [], "withdrawn": []}
    place.publish(built=with_list(small, tmp_path / "one", FIRST))
    found = look()["endorsements"]
    assert [one["endorser"]["svn"] for one in found["added"]] == [1]
    place.publish(built=with_list(small, tmp_path / "two", SECOND))
    code, out, _ = run("monitor", url, "--trust", str(place.trust))
    assert code == 0
    assert [line for line in out.splitlines() if "endorsed" in line] == [
        f"  {mark} endorsed {FIRST.launch_digest} by https://a.example/list" for mark in "+-"
    ]
    place.publish(built=with_list(small, tmp_path / "three", FIRST, SECOND))  # an earlier leaf again
    assert [one["endorser"]["svn"] for one in look()["endorsements"]["added"]] == [1]


def test_an_endorsed_digest_that_the_catalog_of_its_release_lacks(look: Look, place: Place) -> None:
    look()
    log = LogFolder(place.log)
    sign_release(log, LOG, next_record(log, place.now), (), encode_leaf(FIRST))
    assert "its catalog lacks an endorsed digest of the log" in look(11)["error"]["message"]


def test_an_endorsed_digest_that_is_only_in_the_catalog(
    look: Look, place: Place, small: BuildResult, tmp_path: Path
) -> None:
    look()
    log, lie = LogFolder(place.log), with_list(small, tmp_path / "lie", FIRST)
    text = (lie.folder / "manifest.json").read_bytes()
    named = {"manifest.json": hashlib.sha256(text).hexdigest()}
    sign_release(log, LOG, altered(next_record(log, place.now), artifacts=named), ())
    folder = place.log / "releases/2"
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").write_bytes(text)
    assert look(5)["change"] is None  # the file is missing
    shutil.copytree(lie.folder / "endorsements", folder / "endorsements")
    assert "its catalog has an endorsed digest that the log lacks" in look(11)["error"]["message"]
    (folder / "endorsements/endorsed.jsonl").write_bytes(endorsements_file([SECOND]))
    assert "is not the file its manifest names" in look(4)["error"]["message"]
    (folder / "manifest.json").write_bytes(text + b" ")
    assert "is not the one that release 2 names" in look(4)["error"]["message"]
