"""`ldcat publish` and `ldcat revoke` say until when a checkpoint is fresh, and which command has to run before."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.publish.key_files import new_key, write_keys
from catalog.transparency.keys import SignatureType
from tests.support.cli import Run
from tests.support.logs import DAY
from tests.support.trust_notes import trust_note

ORIGIN = "example.com/digests"
MAX_AGE = 7 * DAY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the keys of a log, a witness and a heartbeat."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name, kind in (("log", SignatureType.ED25519), ("heartbeat", SignatureType.COSIGNATURE_ED25519)):
        write_keys(tmp_path / f"{name}.key", [new_key(f"{ORIGIN}{'' if name == 'log' else '/' + name}", kind)], None)
    return tmp_path


def write_note(folder: Path, witness: str, quorum: str = "none", origin: str = ORIGIN) -> Path:
    """A trust note with the log, and with a line of a witness, whose key is that of the heartbeat."""
    keys = {name: (folder / f"{name}.key").read_text().splitlines()[0] for name in ("log", "heartbeat")}
    policy = f"log {keys['log']}\n{witness.format(**keys)}quorum {quorum}\n"
    if origin != ORIGIN:
        policy = f"log {new_key(origin, SignatureType.ED25519).key}\nquorum none\n"
    path = folder / "trust.note"
    path.write_bytes(bytes(trust_note(policy, expires=int(time.time()) + 90 * DAY, max_age=MAX_AGE)))
    return path


HEARTBEAT, ADDRESS = "witness h {heartbeat}\n", "witness w {heartbeat} https://w.example\n"


@pytest.mark.parametrize(
    ("witness", "quorum", "fresh", "text"),
    [
        ("", "none", True, "names no heartbeat key, so only a new release renews it"),
        (HEARTBEAT, "none", True, "every day: ldcat cosign --heartbeat --log log --trust trust.note --key FILE"),
        (ADDRESS, "w", False, "until this has run, now and every day: ldcat witness ask --log log --trust trust.note"),
        (HEARTBEAT, "h", False, "now and every day: ldcat cosign --heartbeat --log log --trust trust.note --key FILE"),
    ],
)
def test_the_command_is_named(
    run: Run, small: BuildResult, folder: Path, witness: str, quorum: str, fresh: bool, text: str
) -> None:
    write_note(folder, witness, quorum)
    publish = ("publish", str(small.folder), "--log", "log", "--key", "log.key", "--trust", "trust.note")
    code, out, err = run(*publish, "-f", "json")
    assert (code, err.count("\n")) == (0, 1)
    assert err.rstrip("\n").endswith(text)
    assert len(err) < 250
    until = json.loads(out)["fresh_until"]
    assert until == pytest.approx(time.time() + MAX_AGE, abs=600) if fresh else until is None
    assert (f"guests refuse it after {time.strftime('%Y-', time.gmtime(until or 0))}" in err) == fresh
    code, out, err = run(*publish, "--quiet")
    assert (code, err, "fresh until" in out) == (0, "", fresh)


def test_cosigned_by_the_quorum_it_is_fresh(run: Run, small: BuildResult, folder: Path) -> None:
    note = write_note(folder, HEARTBEAT, "h")
    publish = ("publish", str(small.folder), "--log", "log", "--key", "log.key", "--trust", str(note))
    assert run(*publish)[0] == 0
    assert run("cosign", "--log", "log", "--trust", str(note), "--key", "heartbeat.key")[0] == 0
    code, out, err = run(*publish, "-f", "json")
    assert (code, json.loads(out)["fresh_until"]) == (0, pytest.approx(time.time() + MAX_AGE, abs=600))
    assert "the log has every row of this catalog" in err
    assert "unless this runs every day" in err


def test_the_trust_note_of_the_environment_is_used_if_it_names_the_log(
    run: Run, small: BuildResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "LDCAT_TRUST", str(write_note(folder, HEARTBEAT)))
    own = ("--log", "log", "--key", "log.key")
    assert "ldcat cosign --heartbeat --log log" in run("publish", str(small.folder), *own)[2]
    revoke = ("revoke", *own, "--severity", "revoked", "--reason", "a reason")
    code, out, err = run(*revoke, "--vcpus", "1", "-f", "json")
    assert (code, json.loads(out)["fresh_until"]) == (0, pytest.approx(time.time() + MAX_AGE, abs=600))
    assert "unless this runs every day: ldcat cosign --heartbeat --log log" in err
    write_note(folder, "", origin="example.com/other")
    code, out, err = run(*revoke, "--vcpus", "2", "-f", "json")
    assert (code, json.loads(out)["fresh_until"]) == (0, None)
    assert "older than max-age of their trust note, 7 days by default" in err
    (folder / "trust.note").write_text("damaged")
    code, _, err = run(*revoke, "--vcpus", "3")
    assert (code, "older than max-age of their trust note" in err) == (0, True)
