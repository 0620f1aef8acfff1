"""`ldcat init`: everything that a publisher needs, made once, whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.commands import init
from catalog.publish import new_log
from catalog.publish.key_files import read_keys
from catalog.state.publisher import SETTINGS, Publisher
from catalog.transparency.keys import SignatureType
from catalog.transparency.trust import read_trust
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.logs import signer

ORIGIN = "example.com/digests"
PLAIN = ("init", ORIGIN, "--algorithm", "ed25519")
FILES = [
    "keys/heartbeat.key",
    "keys/heartbeat.key.pub",
    "keys/log.key",
    "keys/log.key.pub",
    "keys/root-1.key",
    "keys/root-1.key.pub",
    "ldcat.toml",
    "trust.note",
]
WITNESSES = [signer(f"w{n}.example", SignatureType.COSIGNATURE_ED25519) for n in range(1, 4)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return tmp_path / "empty"


def files(folder: Path = Path()) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_from_nothing_to_a_verified_lookup(run: Run, small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """The issue: init, build, publish, and the lookup of a guest with the one file that was given away."""
    code, out, err = run("init", ORIGIN)
    assert (code, err) == (0, "")
    assert sorted(files()) == FILES
    assert "ldcat publish catalog" in out
    assert run("publish", str(small.folder))[0] == 0
    (guest,) = re.findall(r"^  ldcat (lookup DIGEST .*)$", out, re.MULTILINE)
    monkeypatch.setenv("XDG_STATE_HOME", str(Path("guest").absolute()))
    code, out, err = run(*shlex.split(guest.replace("DIGEST", digest_of(small))))
    assert code == 0
    assert f"release 1 of {ORIGIN}: verified against version 1 of the trust note" in err


def test_every_key_of_each_algorithm_is_in_the_policy(run: Run) -> None:
    assert run("init", ORIGIN)[0] == 0
    trust = read_trust(Path("trust.note").read_bytes())
    assert set(trust.policy.logs) == {pair.key for pair in read_keys(Path("keys/log.key"), None)}
    assert set(trust.policy.witnesses.values()) == {pair.key for pair in read_keys(Path("keys/heartbeat.key"), None)}
    assert (len(trust.policy.logs), len(trust.policy.witnesses), trust.policy.quorum) == (2, 2, None)
    assert Publisher.find() == Publisher(
        ORIGIN, Path("public"), Path("keys/log.key"), Path("trust.note"), Path("keys/heartbeat.key"), Path("catalog")
    )
    assert 'catalog = "catalog"\n' in Path(SETTINGS).read_text()


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_modes_do_not_depend_on_the_umask(run: Run, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert run(*PLAIN)[0] == 0
    finally:
        os.umask(before)
    assert Path("keys").stat().st_mode & 0o777 == 0o700
    modes = {path: Path(path).stat().st_mode & 0o777 for path in files()}
    assert modes == {path: 0o600 if path.endswith(".key") else 0o644 for path in FILES}


TERMS = (
    *("checkpoint", "witness", "quorum", "policy", "cosign", "verifier", "tile", "leaf", "leaves", "threshold", "role"),
    *("origin", "row", "endorsed", "root_base64", "size", "manifest", "combination", "known in part", "client"),
)
"""Of the documentation: what a publisher need not know who sets up a log with a heartbeat."""


def test_no_more_concepts_are_named_than_needed(run: Run, small: BuildResult) -> None:
    """Trust note, key, log, heartbeat, catalog and release; lines to copy may have others."""
    printed = [*run("init", ORIGIN)[1:], *run("publish", str(small.folder))[1:], *run("build", "-o", "catalog")[1:]]
    lines = "".join(printed).splitlines()
    prose = " ".join(line for line in lines if not re.match(r"  (ldcat|17 4|\[|\w+=|systemctl)", line))
    assert prose.count("launch digests") >= 4
    assert [term for term in TERMS if re.search(rf"\b{term}s?\b", prose.replace("cosign --heartbeat", ""))] == []


def test_timers(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/ldcat"])
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/ldcat")
    (tmp_path / "phrase").write_text("horse")
    out = run(*PLAIN, "--output", "a 50% $x", "--max-age", "3", "--passphrase-file", str(tmp_path / "phrase"))[1]
    place, phrase = str(Path("a 50% $x").absolute()), str(tmp_path / "phrase")
    words = f"/usr/bin/ldcat cosign --heartbeat --quiet --passphrase-file {phrase}"
    escaped = shlex.quote(place).replace("%", "\\%")
    assert f"  17 4 * * * cd {escaped} && {words} > /dev/null\n" in out
    assert f"  WorkingDirectory={place.replace('%', '%%')}\n" in out
    assert f"  ExecStart={words}\n" in out
    assert "With no heartbeat for 3 days the log goes stale" in out
    assert "horse" not in out
    assert len(read_keys(Path(place) / "keys/root-1.key", b"horse")) == 1


def test_running_it_again_explains_and_changes_nothing(run: Run, small: BuildResult) -> None:
    first = run(*PLAIN)[1]
    before = files()
    code, out, err = run(*PLAIN, "--roots", "3")
    assert (code, err) == (1, "")
    assert out.startswith(f"{ORIGIN} was set up before: nothing is changed\n")
    assert out.splitlines()[1:] == first.splitlines()[1:]
    run("publish", str(small.folder))
    Path("keys/root-1.key").rename("usb-stick")
    Path("keys/log.key").unlink()
    code, out, _ = run("init", ORIGIN)
    assert code == 1
    assert "The log is published in public." in out
    assert "keys/root-1.key     is not on this machine any more" in out
    assert "keys/log.key        is MISSING: restore it from your copy" in out
    assert {name: data for name, data in files().items() if name in before} == {
        name: data for name, data in before.items() if name not in ("keys/root-1.key", "keys/log.key")
    }
    Path("keys").rename("another-stick")
    code, out, _ = run("init", ORIGIN)
    assert (code, out.count("is MISSING: restore it from your copy")) == (1, 2)


def test_another_origin_is_refused(run: Run) -> None:
    run(*PLAIN)
    before = files()
    code, out, err = run("init", "example.com/other")
    assert (code, out) == (2, "")
    assert f". is set up for the log {ORIGIN}: nothing is changed" in err
    assert "ldcat init example.com/other --output PATH sets up another folder; what was never published may be" in err
    assert files() == before
    Path("public").mkdir()
    Path("public/checkpoint").touch()
    assert "may be deleted" not in run("init", "example.com/other")[2]


def test_a_name_that_was_signed_here_gets_no_other_keys(run: Run, small: BuildResult) -> None:
    """A trust note of these keys would be given to guests, and no log could follow."""
    run(*PLAIN)
    run("publish", str(small.folder))
    code, out, err = run(*PLAIN, "--output", "again")
    assert (code, out) == (2, "")
    assert f"this machine signed the log {ORIGIN} before, and its keys would be others now\n" in err
    assert f"signed/{ORIGIN.replace('/', '%2F')}.note" in err
    assert not Path("again").exists()
    assert run("init", "example.com/digests-2", "--output", "again")[0] == 0


@pytest.mark.parametrize("name", ["keys", "trust.note", "public"])
def test_nothing_is_overwritten(run: Run, name: str) -> None:
    Path(name).mkdir()
    (Path(name) / "mine").write_text("mine")
    code, out, err = run(*PLAIN)
    assert (code, out) == (2, "")
    assert f"{name} exists already, and ldcat.toml does not" in err
    assert files() == {f"{name}/mine": b"mine"}


def test_other_files_of_the_folder_stay(run: Run) -> None:
    Path("mine").write_text("mine")
    assert run(*PLAIN)[0] == 0
    assert sorted(files()) == sorted([*FILES, "mine"])


def test_a_folder_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run(*PLAIN, "--output", "/proc/nowhere")
    assert (code, out) == (5, "")
    assert err.startswith("ldcat: error: /proc/nowhere: ")

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", read_only)
    code, out, err = run(*PLAIN)
    assert (code, out) == (5, "")
    assert err.startswith("ldcat: error: .: read-only file system\nldcat: hint: ")
    assert files() == {}


def test_two_at_a_time(run: Run) -> None:
    with new_log.alone_in(Path()):
        code, out, err = run(*PLAIN)
    assert (code, out) == (2, "")
    assert "another ldcat init writes to ." in err
    assert files() == {}


class Stopped(BaseException):
    """Like KeyboardInterrupt: may be raised anywhere."""


@pytest.mark.parametrize("call", ["mkdir", "chmod", "open", "link", "rename", "unlink", "fsync"])
def test_an_interrupted_run_leaves_nothing_or_is_completed(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str
) -> None:
    """Each system call fails once, and nothing is tidied up: the next run makes everything, or completes it."""
    made = new_log.make_log(
        new_log.Wishes(ORIGIN, [SignatureType.ED25519], 1, (), None, (), expires=1 << 40, max_age=86400), now=1
    )
    stopped = 0
    for number in range(1, 60):
        place = tmp_path / f"{call}{number}"
        place.mkdir()
        left = [number]
        with monkeypatch.context() as patched:
            real = getattr(os, call)

            def failing(*args: object, real: object = real, left: list[int] = left, **named: object) -> object:
                left[0] -= 1
                if left[0] == 0:
                    raise Stopped
                return real(*args, **named)  # type: ignore[operator]

            patched.setattr(os, call, failing)
            patched.setattr(new_log, "_remove_staged", lambda folder: None)
            try:
                new_log.write_log(place, made, None)
            except Stopped:
                stopped += 1
        assert (place / SETTINGS).exists() <= (place / "trust.note").exists() <= (place / "keys").exists()
        before = files(place / "keys") if (place / "keys").exists() else None
        code, out, _ = run(*PLAIN, "--output", str(place))
        assert code == (1 if "was set up before" in out else 0)
        assert set(files(place)) - {name for name in files(place) if name.endswith(".partial")} == set(FILES)
        if before is not None:
            assert {name: data for name, data in before.items() if name.endswith(".key")}.items() <= files(
                place / "keys"
            ).items()
        if left[0] > 0:
            break
    assert stopped >= 1


def test_on_any_error_nothing_is_left(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    code, out, err = run(*PLAIN)
    assert (code, out) == (5, "")
    assert "no space is left" in err
    assert list(folder.iterdir()) == []


def test_witnesses_are_the_quorum(run: Run) -> None:
    for number, by in enumerate(WITNESSES, 1):
        Path(f"w{number}.pub").write_text(f"{by.key} https://w{number}.example/\n")
    named = [word for number in (1, 2, 3) for word in ("--witness", f"w{number}.pub")]
    code, out, err = run("init", ORIGIN, *named, "--output", "log")
    assert (code, err) == (0, "")
    trust = read_trust(Path("log/trust.note").read_bytes())
    (group,) = trust.policy.groups.values()
    assert (group.threshold, group.members, trust.policy.quorum) == (2, ("w1", "w2", "w3"), "witnesses")
    assert trust.policy.witness_urls["w2"] == "https://w2.example/"
    assert not Path("log/keys/heartbeat.key").exists()
    assert "keys/log.key.pub  for the witnesses: w1.example, w2.example, w3.example" in out
    assert "\n  ldcat witness ask\n" in out
    assert " && " in out
    assert "witness ask > /dev/null" in out
    assert "heartbeat" not in out
    code, _, err = run("init", ORIGIN, "--witness", "w1.pub", "--output", "one")
    assert code == 0
    assert "warning: the policy: quorum witnesses: is reached by w1.example alone" in err


@pytest.mark.parametrize("witness", [True, False])
def test_the_timer_runs_what_the_trust_note_of_today_needs(run: Run, witness: bool) -> None:
    """As `ldcat publish` says: the note may have been replaced since the keys were made."""
    run(*PLAIN)
    run("keygen", "w1.example", "--for", "witness", "--algorithm", "ed25519", "-o", "w1")
    line = f"witness w1 {Path('w1.pub').read_text().strip()} https://w1.example/\nquorum w1\n"
    Path("policy").write_text(f"log {Path('keys/log.key.pub').read_text()}{line if witness else 'quorum none'}\n")
    Path("text").write_text(run("trust", "rotate", "trust.note", "--policy", "policy")[1])
    Path("trust.note").write_text(run("trust", "sign", "text", "--key", "keys/root-1.key")[1])
    out = run("init", ORIGIN)[1]
    assert "cosign" not in out
    assert (out.count("witness ask"), "only a new release renews it" in out) == ((3, False) if witness else (0, True))


def test_a_file_with_several_votes_is_said_to_have_them(run: Run) -> None:
    """Whoever wrote it could outvote the others."""
    Path("w.pub").write_text("".join(f"{by.key} https://w.example/\n" for by in WITNESSES))
    for name in ("bob", "carol"):
        run("keygen", f"{name}.example", "--for", "root", "-o", f"{name}.key")
    Path("both.pub").write_text(Path("bob.key.pub").read_text() + Path("carol.key.pub").read_text())
    code, _, err = run(*PLAIN, "--root", "both.pub", "--witness", "w.pub", "--output", "log")
    assert code == 0
    assert "ldcat: note: both.pub names 2 roots, each with a vote: bob.example, carol.example\n" in err
    assert "ldcat: note: w.pub names 3 witnesses, each with a vote: w1.example, w2.example, w3.example\n" in err


def test_a_witness_is_named_by_its_url(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetched(url: str, at_most: int) -> bytes:
        asked.append((url, at_most))
        return f"{WITNESSES[0].key}\n".encode()

    monkeypatch.setattr(init, "_fetched", fetched)
    code, _, err = run(*PLAIN, "--witness", "https://w1.example/")
    assert (code, asked) == (0, [("https://w1.example/", 1 << 16)])
    assert f"names the keys w1.example+{WITNESSES[0].key.key_id.hex()}: compare them" in err
    assert read_trust(Path("trust.note").read_bytes()).policy.witness_urls == {"w1": "https://w1.example/"}


def test_roots_of_others_have_to_sign(run: Run, small: BuildResult) -> None:
    for name in ("bob", "carol"):
        run("keygen", f"{name}.example", "--for", "root", "-o", f"{name}.key")
    code, out, _ = run(*PLAIN, "--root", "bob.key.pub", "--root", "carol.key.pub", "--output", "log")
    assert code == 0
    assert "trust.note is not valid yet: 1 more of these have to sign it" in out
    assert "\n  bob.example, carol.example\n" in out
    (command,) = re.findall(r"^  ldcat (trust sign .*) > signed.note$", out, re.MULTILINE)
    words = command.replace("trust.note", "log/trust.note").replace("KEY", "carol.key")
    signed = run(*words.split())[1]
    Path("log/trust.note").write_text(signed)
    trust = read_trust(signed.encode())
    assert (trust.threshold, list(trust.roots)) == (2, ["root-1", "bob.example", "carol.example"])
    assert "not valid yet" not in run("init", ORIGIN, "--output", "log")[1]


def test_only_roots_of_others(run: Run) -> None:
    run("keygen", "bob.example", "--for", "root", "-o", "bob.key")
    out = run(*PLAIN, "--roots", "0", "--root", "bob.key.pub", "--output", "log")[1]
    assert "1 more of these have to sign it" in out
    assert not list(Path("log/keys").glob("root*"))
    Path("log/trust.note").write_text(run("trust", "sign", "log/trust.note", "--key", "bob.key")[1])
    assert json.loads(run("trust", "show", "log/trust.note", "-f", "json")[1])["threshold"] == 1


@pytest.mark.parametrize(("roots", "threshold"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 3)])
def test_more_than_half_of_the_roots_have_to_sign(run: Run, roots: int, threshold: int) -> None:
    assert run(*PLAIN, "--roots", str(roots))[0] == 0
    trust = read_trust(Path("trust.note").read_bytes())
    assert (len(trust.roots), trust.threshold) == (roots, threshold)


def bad_lines() -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Arguments, exit code and a part of the error."""
    yield ("a b",), 3, "invalid key name"
    yield ("",), 3, "invalid key name"
    yield ("a" * 250,), 3, "invalid key name"
    for origin in ("mylog", "http://", "https:/x", "/digests", "a..b", ".example/x"):
        yield (origin,), 2, "begins with no domain name"
    yield ("https://example.com/digests",), 2, "such as example.com/digests: "
    yield (
        ("acme.example/digests/",),
        2,
        "has a slash, query or fragment at the end\nldcat: hint: it is a URL without its scheme",
    )
    yield ("acme.example/?x",), 2, "such as acme.example: it can never be changed"
    yield (ORIGIN, "--roots", "0"), 2, "of 0 roots is not possible"
    yield (ORIGIN, "--roots", "33"), 2, "of 33 roots is not possible"
    yield (ORIGIN, "--roots", "3", "--threshold", "4"), 2, "4 of 3 roots is not possible"
    yield (ORIGIN, "--roots", "3", "--threshold", "3"), 2, "a threshold of all 3 root keys"
    yield (ORIGIN, "--threshold", "0"), 2, "by 0 of 1 roots is not possible"
    yield (ORIGIN, "--days", "0"), 2, "--days is less than a day"
    yield (ORIGIN, "--max-age", "0"), 2, "--max-age is less than a day\nldcat: hint: --max-age DAYS"
    yield (ORIGIN, "--days", "9" * 20), 3, "expires"
    yield (ORIGIN, "--root", "nowhere"), 5, "nowhere"
    yield (ORIGIN, "--root", "key"), 2, "key has a private key"
    yield (ORIGIN, "--root", "nothing"), 2, "has no verifier key"
    yield (ORIGIN, "--root", "key.pub"), 2, "is not that of a root"
    yield (ORIGIN, "--root", "r.pub", "--root", "r.pub"), 2, "the root r.example is named twice"
    yield (ORIGIN, "--witness", "nowhere"), 5, "nowhere"
    yield (ORIGIN, "--witness", ""), 2, "--witness names no file"
    yield (ORIGIN, "--witness", "key.pub"), 3, "has no address for the witness w.example"
    yield (ORIGIN, "--witness", "w", "--witness", "w"), 2, "the witness w.example is named twice"
    yield ("w.example", "--witness", "w"), 2, "has the name of the log"
    yield (ORIGIN, "--witness", "http://example.com/w"), 2, "only https is"
    yield (ORIGIN, "--witness", "http://127.0.0.1:1/w"), 5, "127.0.0.1"
    yield (ORIGIN, "--passphrase-file", "nothing"), 2, "contains no passphrase"
    yield (ORIGIN, "--output", "nothing"), 5, "nothing"


@pytest.mark.parametrize(("arguments", "code", "part"), list(bad_lines()))
def test_invalid_arguments_write_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, part: str
) -> None:
    monkeypatch.setattr("catalog.net.static_host._PAUSES", ())
    run("keygen", "w.example", "--for", "witness", "-o", "key")
    run("keygen", "r.example", "--for", "root", "-o", "r")
    Path("w").write_text(f"{Path('key.pub').read_text()}https://w.example/\n")
    Path("nothing").touch()
    before = files()
    got, out, err = run("init", *arguments)
    assert (got, out) == (code, ""), err
    assert part in err
    assert all(len(line) <= 200 for line in err.splitlines() if line.startswith("ldcat: hint"))
    assert files() == before
