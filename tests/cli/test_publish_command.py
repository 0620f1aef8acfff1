"""`ldcat keygen` and `ldcat publish`: from a catalog to a signed log, on the command line."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.note import Note
from tests.support.cli import Run, but_freshness

ORIGIN = "example.com/digests"


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ((), [1, 6]),
        (("--algorithm", "ed25519"), [1]),
        (("--algorithm", "hybrid"), [1, 6]),
        (("--algorithm", "ml-dsa-44"), [6]),
        (("--for", "witness"), [4, 6]),
        (("--for", "witness", "--algorithm", "ed25519"), [4]),
        (("--for", "root"), [1]),
    ],
)
def test_keys(run: Run, tmp_path: Path, arguments: tuple[str, ...], kinds: list[int]) -> None:
    code, out, err = run("keygen", ORIGIN, "-o", str(tmp_path / "key"), *arguments)
    assert (code, err) == (0, "")
    keys = [VerifierKey.parse(line) for line in out.splitlines()]
    assert [(key.name, key.type) for key in keys] == [(ORIGIN, SignatureType(kind)) for kind in kinds]
    private = (tmp_path / "key").read_text()
    assert not any(line in out for line in private.splitlines() if "+" not in line)


def test_a_catalog_is_published(run: Run, small: BuildResult, tmp_path: Path) -> None:
    (tmp_path / "phrase").write_text("correct horse\n")
    phrase = ("--passphrase-file", str(tmp_path / "phrase"))
    vkeys = run("keygen", ORIGIN, "-o", str(tmp_path / "key"), "--algorithm", "hybrid", *phrase)[1]
    publish = ("publish", str(small.folder), "--log", str(tmp_path / "log"), "--key", str(tmp_path / "key"), *phrase)
    code, out, err = run(*publish, "-f", "json")
    assert (code, but_freshness(err)) == (0, "")
    facts = json.loads(out)
    note = Note.parse((tmp_path / "log/checkpoint").read_bytes())
    assert len(note.verify([VerifierKey.parse(line) for line in vkeys.splitlines()])) == 2
    checkpoint = Checkpoint.parse(note.text)
    assert (facts["origin"], facts["size"]) == (checkpoint.origin, checkpoint.size) == (ORIGIN, facts["new_rows"] + 1)
    assert facts["root"] == checkpoint.root.hex()
    assert base64.b64decode(facts["root_base64"]) == checkpoint.root
    code, out, err = run(*publish)
    assert (code, but_freshness(err)) == (0, "ldcat: note: the log has every row of this catalog\n")
    assert "correct horse" not in out + err


def test_other_keys_than_those_of_the_log(run: Run, small: BuildResult, tmp_path: Path) -> None:
    for name in ("before", "now"):
        run("keygen", ORIGIN, "-o", str(tmp_path / name), "--algorithm", "ed25519")
    publish = ("publish", str(small.folder))
    assert run(*publish, "--log", str(tmp_path / "log"), "--key", str(tmp_path / "before"), "-q")[0] == 0
    for log in ("log", "new"):
        code, out, err = run(*publish, "--log", str(tmp_path / log), "--key", str(tmp_path / "now"))
        assert (code, out) == (6, "")
        assert f"this machine signed the log {ORIGIN} with other keys before\n" in err
        assert "ldcat: hint: use the earlier key file" in err
        assert f"only if it was a deleted trial: rm {tmp_path}/state/ldcat/signed/" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("keygen", "a b", "-o", "{tmp}/k"), 3, "invalid key name"),
        (("keygen", "a+b", "-o", "{tmp}/k"), 3, "invalid key name"),
        (("keygen", "a", "-o", "{tmp}/key"), 2, "already exists"),
        (("keygen", "a", "-o", "{tmp}/k", "--for", "root", "--algorithm", "hybrid"), 2, "cannot be ML-DSA-44"),
        (("keygen", "a", "-o", "{tmp}/k", "--passphrase-file", "{tmp}/empty"), 2, "no passphrase"),
        (("keygen", "a", "-o", "{tmp}/k", "--from", "{tmp}/nowhere"), 5, "nowhere"),
        (("keygen", "a", "-o", "{tmp}/k", "--from", "{tmp}/empty"), 3, "no private key in PEM"),
        (("keygen", "a", "-o", "{tmp}/k", "--from", "{tmp}/key", "--algorithm", "ed25519"), 2, "has other keys than"),
        (("keygen", "a", "-o", "{tmp}/k", "--from", "{tmp}/key", "--for", "root"), 2, "cannot be ML-DSA-44"),
        (("publish", "--log", "{tmp}/log", "--key", "{tmp}/nowhere"), 5, "nowhere"),
        (("publish", "--log", "{tmp}/log", "--key", "{tmp}/empty"), 3, "has no private keys"),
        (("publish", "{catalog}", "--log", "{tmp}/log", "--key", "{tmp}/witness"), 2, "not signing keys of one log"),
        (("publish", "/nowhere", "--log", "{tmp}/log", "--key", "{tmp}/key"), 5, "no catalog at /nowhere"),
        (("publish", "{catalog}", "--log", "{tmp}/key", "--key", "{tmp}/key"), 5, "{tmp}/key"),
        (("publish", "{catalog}", "--log", "{tmp}/log", "--key", "{tmp}/key", "-f", "csv"), 2, "csv"),
    ],
)
def test_invalid_arguments_are_refused(
    run: Run, small: BuildResult, tmp_path: Path, arguments: tuple[str, ...], code: int, part: str
) -> None:
    (tmp_path / "empty").touch(0o644)
    run("keygen", ORIGIN, "-o", str(tmp_path / "key"))
    run("keygen", ORIGIN, "-o", str(tmp_path / "witness"), "--for", "witness")
    places = {"tmp": str(tmp_path), "catalog": str(small.folder)}
    got, out, err = run(*(argument.format(**places) for argument in arguments))
    assert (got, out) == (code, "")
    assert err.startswith("ldcat: error: ")
    assert part.format(**places) in err
    assert "internal error" not in err
    assert not (tmp_path / "log/checkpoint").exists()
