"""A trial log that was deleted, keys made again, a restored backup: each error names the file that remembers."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from catalog.build.builder import BuildResult
from catalog.log.log_folder import LastCheckpoint
from catalog.terminal import render
from tests.support.cli import NOWHERE, Run
from tests.support.hosts import serving

ORIGIN = "example.com/trial"


@pytest.fixture(autouse=True)
def folder(run: Run, small: BuildResult, fewer: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a log with two releases, which was cosigned and looked up; backup has the first one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "trial").mkdir()
    monkeypatch.chdir(tmp_path / "trial")
    assert run("init", ORIGIN, "--algorithm", "ed25519")[0] == 0
    assert run("publish", str(fewer.folder))[0] == 0
    shutil.copytree("public", "backup")
    assert run("publish", str(small.folder))[0] == 0
    assert run("cosign")[0] == 0
    assert lookup(run)[0] == 1
    assert monitor(run)[0] == 0
    return tmp_path / "trial"


def lookup(run: Run) -> tuple[int, str, str]:
    return run("lookup", NOWHERE, "--catalog", "public", "--trust", "trust.note")


def monitor(run: Run) -> tuple[int, str, str]:
    with serving(Path("public")) as port:
        return run("monitor", f"http://127.0.0.1:{port}/logs", "--trust", "trust.note")


def cosign(run: Run) -> tuple[int, str, str]:
    return run("cosign", "--heartbeat")


def forget(folder: Path, code: int, err: str, what: str) -> None:
    """Run what the hint says, if the error is one about the memory of that kind."""
    assert code in (2, 4, 6, 9), err
    (hint,) = re.findall(r"^ldcat: hint: (.*)$", err, re.MULTILINE)
    _, only, command = hint.partition("only if it was a deleted trial: ")
    assert only, hint
    program, path = shlex.split(command)
    assert program == "rm"
    assert Path(path).parent == folder.parent / "state/ldcat" / what
    Path(path).unlink()


def test_a_trial_that_was_deleted_is_begun_anew(run: Run, fewer: BuildResult, folder: Path) -> None:
    """With the same keys: each command says what it remembers, and works after that was removed."""
    shutil.rmtree("public")
    code, _, err = run("publish", str(fewer.folder))
    assert not Path("public").exists()  # what is copied to this name is not to end up in a folder of it
    forget(folder, code, err, "signed")
    assert run("publish", str(fewer.folder))[0] == 0
    for command, what, good in ((cosign, "cosigned", 0), (lookup, "seen", 1), (monitor, "watched", 0)):
        code, _, err = command(run)
        forget(folder, code, err, what)
        assert command(run)[0] == good


def test_keys_that_were_made_again(run: Run, small: BuildResult, folder: Path) -> None:
    """A fork of the same size: another log with the same rows."""
    for name in ("public", "keys"):
        shutil.rmtree(name)
    for name in ("ldcat.toml", "trust.note"):
        Path(name).unlink()
    code, _, err = run("init", ORIGIN, "--algorithm", "ed25519")
    assert f"this machine signed the log {ORIGIN} before, and its keys would be others now" in err
    assert "use the earlier keys" in err
    forget(folder, code, err, "signed")
    assert run("init", ORIGIN, "--algorithm", "ed25519")[0] == 0
    assert run("publish", str(small.folder))[0] == 0
    for command, what, good in ((cosign, "cosigned", 0), (lookup, "seen", 1), (monitor, "watched", 0)):
        code, _, err = command(run)
        forget(folder, code, err, what)
        assert command(run)[0] == good


@pytest.mark.parametrize(("command", "what"), [(cosign, "cosigned"), (lookup, "seen"), (monitor, "watched")])
def test_a_restored_backup(run: Run, folder: Path, command: Callable[[Run], tuple[int, str, str]], what: str) -> None:
    """The hint says first that the newer log has to come back."""
    shutil.rmtree("public")
    Path("backup").rename("public")
    code, _, err = command(run)
    assert re.search(r"^ldcat: hint: (get the log again|a fork, a restored copy|a restored copy)", err, re.MULTILINE)
    forget(folder, code, err, what)


def test_a_log_that_is_not_there(run: Run, fewer: BuildResult, folder: Path) -> None:
    """Nobody is told to publish over it, and no folder is made into which a backup would be moved."""
    shutil.rmtree("public")
    code, out, _ = run("init", ORIGIN)
    assert code == 1
    assert "\npublic is MISSING, and this machine signed the log: copy it back from where it is served. Then:\n" in out
    for command in (
        ("publish", str(fewer.folder)),
        ("cosign",),
        ("doctor",),
        ("publish", str(fewer.folder), "--log", "x"),
    ):
        code, _, err = run(*command)
        assert code in (4, 5)
        assert re.search(r"^ldcat: hint: .*copy (the log|it) back.*; only if", err, re.MULTILINE)
        assert not Path("public").exists()
        assert not Path("x").exists()
    Path("public").mkdir()
    out = run("doctor")[1]
    assert "nothing is published here\n    > copy the log back" in out
    assert "> ldcat publish" not in out
    Path("public").rmdir()
    Path("backup").rename("public")
    assert "publish what was signed" not in run("doctor")[1]


def test_a_restored_backup_is_not_published_to(run: Run, small: BuildResult, folder: Path) -> None:
    shutil.rmtree("public")
    Path("backup").rename("public")
    code, _, err = run("publish", str(small.folder))
    assert "ldcat: hint: name the log's folder, or copy it back" in err
    forget(folder, code, err, "signed")


def test_several_logs_were_seen(run: Run, small: BuildResult, folder: Path) -> None:
    """With several logs in a trust note the folder is named."""
    text = Path("trust.note").read_text().partition("\n\n")[2].partition("\n\n")[0]
    run("keygen", "example.com/other", "--algorithm", "ed25519", "-o", "other.key")
    Path("policy").write_text(f"log {Path('other.key.pub').read_text()}{text}\n")
    run("trust", "rotate", "trust.note", "--policy", "policy")
    Path("text").write_text(run("trust", "rotate", "trust.note", "--policy", "policy")[1])
    Path("trust.note").write_text(run("trust", "sign", "text", "--key", "keys/root-1.key")[1])
    assert run("publish", str(small.folder), "--log", "other", "--key", "other.key", "--trust", "trust.note")[0] == 0
    assert run("lookup", NOWHERE, "--catalog", "other", "--trust", "trust.note")[0] == 1
    shutil.rmtree("public")
    Path("backup").rename("public")
    code, _, err = lookup(run)
    assert code == 9
    assert f"; what was seen is in {folder.parent}/state/ldcat/seen; see ldcat lookup --help\n" in err


def test_a_path_of_usual_length_is_whole_in_the_hint() -> None:
    """A line with its middle left out would be no command."""
    origin = "digests.confidential.example.com/production/launch-digests"
    memory = LastCheckpoint(Path(f"/home/somebody/.local/state/ldcat/signed/{quote(origin, safe='')}.note"))
    hint = f"ldcat: hint: name the log's folder, or copy it back; {memory.forgetting}"
    assert len(hint) <= render.MAX_LINE
