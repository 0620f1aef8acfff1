"""Names of options: the same option is the same in every command, and what was documented before is accepted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from catalog.cli.program.old_names import OLD_NAMES, POSITION, with_new_names
from tests.support.cli import NOWHERE, Run
from tests.support.commands import COMMANDS, options_of

DOCUMENTED: dict[str, str] = {
    "build": "--engine --max-rows --out --processes --quiet --scheduler --storage -o",
    "measure": "--append --append-sha256 --batch --catalog --format --initrd --initrd-sha256 --insecure-skip-verify "
    "--kernel --kernel-hashes --kernel-sha256 --quiet --sev-features --technology --trust --vcpu-family "
    "--vcpu-model --vcpu-signature --vcpu-stepping --vcpu-type --vcpus --vmm -t",
    "inspect": "--catalog --format --insecure-skip-verify --quiet --trust",
    "lookup": "--api-major --api-minor --at --build-id --catalog --certs --crl --debug-digest --format --host-data "
    "--id-key --insecure-skip-verify --min-svn --min-tcb --nonce --policy --prefix --quiet --report-data "
    "--require-verified --root --tik --trust",
    "explain": "--api-major --api-minor --append --at --budget --build-id --catalog --certs --crl --expect --firmware "
    "--format --host-data --html --id-key --initrd --insecure-skip-verify --kernel --min-tcb --nonce --policy "
    "--quiet --report-data --require-verified --root --tik --trust",
    "relate": "--format --more-vcpus --quiet --reset-base",
    "sql": "--catalog --database --format --insecure-skip-verify --trust",
    "keygen": "--algorithm --for --out --passphrase-file -o",
    "import": "--checksums --feed --format --name --origin --output --root -o",
    "publish": "--format --key --log --lower-trust-version --passphrase-file --quiet --trust",
    "revoke": "--base --digest --document --endorser --endorser-feed --endorser-scheme --endorser-svn --firmware "
    "--format --kernel-hashes --key --log --passphrase-file --reason --sev-features --severity --technology "
    "--vcpu-signature --vcpu-type --vcpus --vmm -t",
    "cosign": "--format --heartbeat --key --log --passphrase-file --quiet --trust",
    "rebuild": "--cosign --format --key --log --passphrase-file --quiet --trust",
    "prove": "--log --quiet",
    "verify-proof": "--format --report --show --trust",
    "diff": "--format --html --insecure-skip-verify --quiet --trust",
    "audit": "--firmware --format --quiet --remeasure --trust",
    "report": "--html --insecure-skip-verify --quiet --trust",
    "doctor": "--format --log --trust --url",
    "monitor": "--every --evidence --format --quiet --trust",
    "site": "--insecure-skip-verify --out --quiet --trust -o",
    "serve": "--insecure-skip-verify --listen --quiet --trust",
    "trust init": "--days --log-signatures --max-age --policy --root --threshold --version",
    "trust rotate": "--days --drop --log-signatures --max-age --policy --root --threshold",
    "trust sign": "--key --passphrase-file",
    "trust show": "--format",
    "trust check": "",
    "vmsa show": "--format",
    "vmsa build": "--ap --catalog --firmware --format --insecure-skip-verify --output --quiet --reset-vector "
    "--sev-features --technology --trust --vcpu-family --vcpu-model --vcpu-signature --vcpu-stepping --vcpu-type "
    "--vmm -o -t",
    "vmsa diff": "--format",
    "witness serve": "--create --db --key --listen --logs --passphrase-file",
    "witness ask": "--allow-http --format --log --trust",
}
"""By command: the options of docs/command-line.md before the names of 0051."""

SEVERAL_MEANINGS = {
    "--policy": "guest policy bits of a launch, and a C2SP policy in a trust note",
    "--root": "a certificate of AMD, of an endorser, and a root key of a trust note",
    "--firmware": "an image to measure, to compare with, and to select rows by",
    "--kernel": "one to measure, and several to try",
    "--initrd": "one to measure, and several to try",
    "--kernel-hashes": "a record to measure with, and rows to select",
    "--vcpus": "several numbers to measure, and one to select rows by",
    "--version": "of ldcat, and of a trust note",
    "--listen": "the service and the witness are configured by variables of their own",
    "--log": "LDCAT_LOG does not name the log that `publish` and `revoke` write to",
    "--catalog": "LDCAT_LOG names the log of `prove`: a local catalog in LDCAT_CATALOG proves nothing",
    "--trust": "an open catalog has no note to verify with, and `publish` stands by one",
    "--key": "the keys of a log, and in `export` a key that no variable names, of what is signed there",
    "--passphrase-file": "no variable names that of `export`, either",
    "--id-key": "a public key to compare with, and a private one that signs",
    "--output": "LDCAT_OUT names the folder of the default catalog",
}
"""Options that differ between commands in more than what is said here, and why."""


def by_option() -> dict[str, dict[str, Any]]:
    """Every option that several commands have, by its first name and by command."""
    found: dict[str, dict[str, Any]] = {}
    for name in COMMANDS:
        for option in options_of(name):
            found.setdefault(option.opts[0], {})[name] = option
    return {option: of for option, of in found.items() if len(of) > 1}


@pytest.mark.parametrize("option", sorted(by_option()))
def test_an_option_is_the_same_in_every_command(option: str) -> None:
    """Names and the value have no exceptions but those with several meanings."""
    of = by_option()[option]
    assert len({tuple(one.opts) for one in of.values()}) == 1
    if option not in SEVERAL_MEANINGS:
        assert len({one.metavar for one in of.values()}) == 1
        assert len({str(one.envvar) for one in of.values()}) == 1


@pytest.mark.parametrize(
    ("option", "metavar"),
    [("--catalog", "DIR|URL"), ("--trust", "FILE"), ("--log", "DIR"), ("--key", "FILE"), ("--output", "PATH")],
)
def test_the_common_options_have_one_value_everywhere(option: str, metavar: str) -> None:
    assert {one.metavar for one in by_option()[option].values()} == {metavar}


@pytest.mark.parametrize("option", ["--catalog", "--insecure-skip-verify", "--quiet", "--format", "--key", "--log"])
def test_the_common_options_say_the_same_everywhere(option: str) -> None:
    """After a semicolon comes what is used if the option is not given; --catalog also names builds, and a log.

    The --key of `export` is none of a log.
    """
    texts = {one.help.partition(";")[0].rstrip(".") for one in by_option()[option].values()}
    assert len(texts) <= {"--catalog": 3, "--key": 2}.get(option, 1), texts


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_spells_a_common_option_in_its_own_way(name: str) -> None:
    own = re.compile("--(out|silent|no-verify|skip-verify|fmt|file|dir|folder|url-log|note|trust-note|db-file)$")
    found = [text for one in options_of(name) for text in one.opts if own.match(text)]
    assert found == (["--file"] if name == "export" else [])  # files that are signed or packed, and nothing else


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_formats_are_those_of_the_command(name: str) -> None:
    for option in options_of(name):
        if option.opts[0] == "--format":
            choices = [choice.value for choice in option.type_descriptor.choices]
            assert len(choices) > 1
            assert option.default in (*choices, None)


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_what_was_documented_is_accepted(name: str) -> None:
    known = {text for one in options_of(name) for text in one.opts}
    assert DOCUMENTED[name] or name == "trust check"
    for option in DOCUMENTED[name].split():
        words, notes = with_new_names([*name.split(), option, "value"])
        given = words[len(name.split()) :]
        assert given in ([option, "value"], ["--", "value"]) or notes
        assert given[0] in {*known, "--"}, f"ldcat {name} {option}"


@pytest.mark.parametrize("name", sorted(OLD_NAMES))
def test_old_names_are_shown_nowhere(name: str) -> None:
    """Neither in help nor in completion, which list the options of a command."""
    known = {text for one in options_of(name) for text in one.opts}
    assert known.isdisjoint(OLD_NAMES[name])
    assert {new for new in OLD_NAMES[name].values() if new != POSITION} <= known


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("site log --out x", "site log --output x"),
        ("site --out=x log", "site --output=x log"),
        ("keygen -o x name", "keygen -o x name"),
        ("build --quiet -- --out", "build --quiet -- --out"),
        ("doctor --log public --trust t", "doctor --trust t -- public"),
        ("doctor --log=public --url u", "doctor --url u -- public"),
        ("rebuild --cosign --log=-x", "rebuild --cosign -- -x"),
        ("rebuild --log a -- b", "rebuild -- b a"),
        ("rebuild --log", "rebuild"),
        ("publish --log public", "publish --log public"),
        ("", ""),
    ],
)
def test_old_names_become_new_ones(given: str, expected: str) -> None:
    words, notes = with_new_names(given.split())
    assert words == expected.split()
    assert len(notes) == (given != expected)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("prove", NOWHERE, "--log", "/nowhere"), ("prove", NOWHERE, "--catalog", "/nowhere")),
        (("doctor", "--log", "/nowhere", "--trust", "/none"), ("doctor", "/nowhere", "--trust", "/none")),
        (("rebuild", "--log", "/nowhere", "--trust", "/none"), ("rebuild", "/nowhere", "--trust", "/none")),
        (("site", "/nowhere", "--out", "x"), ("site", "/nowhere", "--output", "x")),
    ],
)
def test_an_old_name_does_the_same_with_a_note(run: Run, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    code, out, err = run(*old)
    note, _, rest = err.partition("\n")
    assert note.startswith("ldcat: note: --")
    assert (code, out, rest) == run(*new)


def test_a_note_on_an_old_name_can_be_silenced(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("keygen", "a", "--out", str(tmp_path / "a"))[2] == "ldcat: note: --out is now --output\n"
    monkeypatch.setenv("LDCAT_QUIET", "1")
    assert run("keygen", "b", "--out", str(tmp_path / "b"))[2] == ""
    assert (tmp_path / "b").is_file()
