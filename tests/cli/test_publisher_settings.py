"""Commands of a publisher take from ldcat.toml what neither the command line nor a variable names."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import Unreadable
from catalog.log.log_folder import LogFolder
from catalog.state.publisher import SETTINGS
from catalog.terminal.moments import moment
from tests.support.catalogs import digest_of
from tests.support.cli import Run, but_freshness

ORIGIN = "example.com/digests"


@pytest.fixture
def folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: keys, a signed trust note and ldcat.toml."""
    folder = tmp_path / "publisher"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    log = run("keygen", ORIGIN, "-o", "log.key")[1].split()
    heart = run("keygen", f"{ORIGIN}-heartbeat", "--for", "witness", "-o", "heart.key")[1].split()
    (root,) = run("keygen", "root", "--for", "root", "-o", "root.key")[1].split()
    policy = [f"log {key}" for key in log] + [f"witness h{number} {key}" for number, key in enumerate(heart)]
    Path("policy").write_text("\n".join([*policy, "quorum none\n"]))
    text = run("trust", "init", "--policy", "policy", "--root", f"a={root}", "--threshold", "1")[1]
    Path("text").write_text(text)
    Path("trust.note").write_text(run("trust", "sign", "text", "--key", "root.key")[1])
    (folder / SETTINGS).write_text(
        f'origin = "{ORIGIN}"\nlog = "public"\nkey = "log.key"\nheartbeat = "heart.key"\ntrust = "trust.note"\n'
    )
    return folder


def test_every_command_of_a_publisher(run: Run, small: BuildResult, folder: Path) -> None:
    digest = digest_of(small)
    code, out, err = run("publish", str(small.folder), "-f", "json")
    assert (code, but_freshness(err)) == (0, "")
    assert err.endswith(" unless this runs every day: ldcat cosign --heartbeat\n")
    assert (json.loads(out)["origin"], json.loads(out)["trust_version"]) == (ORIGIN, 1)
    assert run("cosign", "--heartbeat")[0] == 0
    assert run("revoke", "--reason", "x", "--severity", "deprecated", "--digest", digest)[0] == 0
    assert run("witness", "ask")[0] == 0  # the policy has no quorum, and nobody with an address
    code, out, _ = run("doctor")
    assert code == 0, out
    assert "example.com/digests" in out
    assert json.loads(run("prove", digest)[1].splitlines()[0])
    assert run("site", "-o", "site")[0] == 0
    assert (folder / "site/checkpoint").read_bytes() == (folder / "public/checkpoint").read_bytes()


def test_the_catalog_of_the_folder_is_published(run: Run, small: BuildResult, folder: Path) -> None:
    """Never the default one unasked: what was published stays."""
    code, out, err = run("publish")
    assert (code, out) == (5, "")
    assert err.startswith("ldcat: error: no catalog at catalog\nldcat: hint: ldcat build -o catalog, or of your own: ")
    assert "ldcat build SPEC.toml -o catalog" in err
    assert not (folder / "public").exists()
    shutil.copytree(small.folder, "catalog")
    code, out, err = run("publish")
    assert (code, but_freshness(err)) == (0, "")
    assert "  catalog         catalog (small)\n" in out
    facts = json.loads(run("publish", str(small.folder), "-f", "json")[1])
    assert (facts["catalog"], facts["catalog_name"]) == (str(small.folder), "small")
    Path("catalog").rename("mine")
    (folder / SETTINGS).write_text((folder / SETTINGS).read_text() + 'catalog = "mine"\n')
    assert json.loads(run("publish", "-f", "json")[1])["catalog"] == "mine"


def test_a_spec_is_no_catalog(run: Run, folder: Path) -> None:
    Path("spec.toml").touch()
    code, out, err = run("publish", "spec.toml")
    assert (code, out) == (2, "")
    assert err.startswith(
        "ldcat: error: spec.toml is a file, and a catalog is a folder\nldcat: hint: ldcat build spec.toml"
    )
    code, _, err = run("publish", "nowhere")
    assert code == 5
    assert "hint: ldcat build -o nowhere, or of your own: ldcat build SPEC.toml -o nowhere\n" in err


def test_the_default_catalog_is_named(
    run: Run, small: BuildResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no ldcat.toml is used."""
    monkeypatch.setattr("catalog.cli.publisher_options.made_default", lambda *, quiet: small.folder)
    code, out, err = run("publish", "--log", "other", "--key", "log.key")
    assert code == 0
    assert f"ldcat: note: no CATALOG is named: this is the default catalog, {small.folder}\n" in err
    assert f"catalog         {small.folder} (" in out


def test_a_heartbeat_does_not_keep_a_restored_backup_fresh(run: Run, small: BuildResult, folder: Path) -> None:
    """The heartbeat key saw none of the two releases: what the machine signed with the log's keys counts."""
    run("publish", str(small.folder))
    shutil.copytree("public", "backup")
    run("revoke", "--reason", "x", "--severity", "revoked", "--digest", digest_of(small))
    shutil.rmtree("public")
    Path("backup").rename("public")
    before = Path("public/checkpoint").read_bytes()
    code, out, err = run("cosign", "--heartbeat")
    assert (code, out) == (4, "")
    assert "were signed here last\nldcat: hint: copy the log back; only if " in err
    assert Path("public/checkpoint").read_bytes() == before


def test_a_machine_that_never_signed_the_log_is_told_to_compare(
    run: Run, small: BuildResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old backup on a new machine: nothing else can tell that its next release is a fork."""
    never = "this machine has not signed this log before: "
    assert never not in run("publish", str(small.folder))[2]
    assert never not in run("doctor")[1]
    monkeypatch.setenv("XDG_STATE_HOME", str(folder.parent / "new"))
    code, out, _ = run("doctor")
    assert code == 0
    assert never in out
    assert "> compare it with what is served: ldcat doctor --url URL\n" in out
    code, _, err = run("revoke", "--reason", "x", "--severity", "revoked", "--digest", digest_of(small))
    assert code == 0
    assert f"warning: {never}compare it with what is served: ldcat doctor URL --trust trust.note\n" in err
    assert never not in run("publish", str(small.folder))[2]
    assert never not in run("doctor")[1]


def test_the_way_out_of_an_expired_trust_note(
    run: Run, small: BuildResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made it cannot get the next version from anybody."""
    run("publish", str(small.folder))
    now = time.time() + 400 * 86400
    monkeypatch.setattr("time.time", lambda: now)
    commands = (
        "ldcat trust rotate trust.note --days 365 > next.txt; ldcat trust sign next.txt --key ROOT.key > next.note"
    )
    for command in (("publish", str(small.folder)), ("cosign", "--heartbeat"), ("witness", "ask")):
        code, _, err = run(*command)
        assert code == 4
        assert f"error: the trust note has expired\nldcat: hint: {commands}; mv next.note trust.note; every" in err
        assert all(len(line) <= 200 for line in err.splitlines())
    assert commands in run("doctor")[1]
    revoke = ("revoke", "--reason", "x", "--severity", "revoked", "--digest", digest_of(small))
    code, out, err = run(*revoke, "-f", "json")
    assert (code, json.loads(out)["fresh_until"]) == (0, None)
    assert f"guests refuse it when the trust note ends, and it has ended: {commands}" in err
    Path("next.txt").write_text(run("trust", "rotate", "trust.note", "--days", "3")[1])
    Path("next.note").write_text(run("trust", "sign", "next.txt", "--key", "root.key")[1])
    code, _, err = run("publish", str(small.folder), "--trust", "next.note")
    assert code == 0
    assert "warning: ldcat.toml still names trust.note, so the next command uses that: mv next.note trust.note\n" in err
    assert "guests refuse it when the trust note ends, and it ends on 20" in err
    Path("next.note").rename("trust.note")
    code, _, err = run("publish", str(small.folder), "--trust", "trust.note")
    assert (code, "still names" in err) == (0, False)
    assert run("cosign", "--heartbeat")[0] == 0


def test_the_owner_of_a_heartbeat_is_told_the_command(
    run: Run, small: BuildResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("publish", str(small.folder))
    assert "has not cosigned" in (out := run("doctor")[1])
    assert "> ldcat cosign --heartbeat, by whoever has its key\n" in out
    now = time.time() + 8 * 86400
    monkeypatch.setattr("time.time", lambda: now)
    assert "> ldcat cosign --heartbeat renews it; run it every day\n" in run("doctor")[1]
    out = run("cosign", "--heartbeat")[1]
    assert f"time         {moment(int(now))}\n" in out
    assert f"fresh until  {moment(int(now) + 7 * 86400)}\n" in out


def test_a_folder_that_cannot_be_written(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is named, not the file that is to be in it."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "releases/1/manifest.json")

    monkeypatch.setattr("catalog.files.many_files.write_new", refuse)
    with pytest.raises(Unreadable, match=r"public/releases/1 cannot be written: permission denied"):
        LogFolder(Path("public")).write([("releases/1/manifest.json", b"")])


def test_a_missing_trust_note(run: Run, folder: Path) -> None:
    Path("trust.note").unlink()
    for command in (("publish",), ("cosign", "--heartbeat"), ("witness", "ask"), ("doctor",)):
        code, _, err = run(*command)
        assert code == 5
        assert "ldcat: hint: ldcat.toml names it: restore it from your copy" in err
    assert "ldcat.toml names it" not in run("cosign", "--trust", "nowhere")[2]


def test_options_and_variables_come_first(
    run: Run, small: BuildResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("keygen", "example.com/other", "-o", "other.key")
    named = ("publish", str(small.folder), "--log", "other")
    code, out, err = run(*named, "--key", "other.key", "-f", "json")
    assert (code, but_freshness(err)) == (0, "")
    assert "older than max-age of their trust note" in err
    assert (json.loads(out)["origin"], json.loads(out)["trust_version"]) == ("example.com/other", None)
    monkeypatch.setenv("LDCAT_LOG", "nowhere")
    assert "no log at nowhere" in run("doctor")[2]
    assert "no log at elsewhere" in run("doctor", "elsewhere")[2]
    run("keygen", "example.com/third", "-o", "third.key")
    monkeypatch.setenv("LDCAT_KEY", "third.key")
    code, _, err = run("publish", str(small.folder))
    assert code == 2
    assert "the trust note does not name the key example.com/third+" in err
    assert not (folder / "public/checkpoint").exists()


def test_keys_of_another_log_are_refused(run: Run, small: BuildResult, folder: Path) -> None:
    (folder / SETTINGS).write_text((folder / SETTINGS).read_text().replace(ORIGIN, "example.com/x"))
    code, out, err = run("publish", str(small.folder))
    assert (code, out) == (2, "")
    assert f"log.key has keys of {ORIGIN}, and {SETTINGS} is about example.com/x" in err
    assert not (folder / "public").exists()


def test_a_log_without_a_heartbeat(run: Run, folder: Path) -> None:
    (folder / SETTINGS).write_text((folder / SETTINGS).read_text().replace("heartbeat =", "# heartbeat ="))
    code, out, err = run("cosign", "--heartbeat")
    assert (code, out) == (2, "")
    assert f"{SETTINGS} names no heartbeat keys" in err
    assert "ldcat: hint: ldcat witness ask" in err


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("publish",), "the folder of the log"),
        (("publish", "--log", "log"), "the private keys of the log"),
        (("revoke", "--reason", "x", "--severity", "revoked"), "the private keys of the log"),
        (("cosign",), "the trust note"),
        (("cosign", "--trust", "{note}"), "the private keys to cosign with"),
        (("witness", "ask"), "the trust note"),
        (("doctor",), "the folder of the log"),
        (("doctor", "log"), "the trust note"),
        (("prove", "0" * 96), "the folder of the log"),
        (("site", "-o", "site"), "the folder of the log"),
    ],
)
def test_without_settings_the_error_names_the_option(
    run: Run, folder: Path, command: tuple[str, ...], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = folder.parent / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    code, out, err = run(*(word.format(note=folder / "trust.note") for word in command))
    assert (code, out) == (2, "")
    assert err.startswith(f"ldcat: error: no option or variable names {what}\nldcat: hint: ")
    assert "ldcat init ORIGIN" in err
    assert list(empty.iterdir()) == []


def test_a_key_that_did_not_sign_the_log(run: Run, small: BuildResult, folder: Path) -> None:
    assert run("publish", str(small.folder))[0] == 0
    code, out, err = run("publish", str(small.folder), "--key", "root.key")
    assert (code, out) == (6, "")
    assert "ldcat: error: none of the keys of " in err
    assert "ldcat: hint: give the keys of this log: --key FILE" in err
