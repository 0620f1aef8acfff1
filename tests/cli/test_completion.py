"""Completion in bash, zsh and fish themselves."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.cli.manuals import completed_values
from catalog.spec import embedded
from tests.support.cli import Run
from tests.support.tools import tool

AMDSEV = "sid/ovmf-amdsev/OVMF.amdsev.fd"
CASES = [
    ("ldcat loo", {"lookup"}),
    ("ldcat trust ch", {"check"}),
    ("ldcat verify-proof --rep", {"--report"}),
    ("ldcat trust sign --ke", {"--key"}),
    ("ldcat sql -f cs", {"csv"}),
    ("ldcat diff old new --format sar", set[str]()),
    ("ldcat lookup --format json --insecure-sk", {"--insecure-skip-verify"}),
    ("ldcat measure sid/ovmf-amdsev/", {AMDSEV}),
    ("ldcat vmsa build --firmware sid/ovmf-amdsev/", {AMDSEV}),
    ("ldcat measure --vmm qemu-kvm-i", {"qemu-kvm-init2"}),
    ("ldcat measure --vcpu-type EPYC-Milan-v4", {"EPYC-Milan-v4"}),
    ("ldcat measure --kernel-hashes secretvm", {"secretvm/prod-v0.0.25-e9e8dce6"}),
    ("ldcat measure -t sev-sn", {"sev-snp"}),
    ("ldcat list vcp", {"vcpu-types"}),
    ("ldcat completion fi", {"fish"}),
    ("ldcat lookup rep", {"report.bin"}),
    ("ldcat lookup --certs=rep", {"report.bin"}),
    ("ldcat lookup --trust=tr", {"trust.note"}),
]
"""The beginning of a line, and what its last word, or the value after =, becomes."""

Script = Callable[[str], Path]


@pytest.fixture
def script(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Writes the script of a shell; the current folder has two files and no ldcat is on the path."""
    (tmp_path / "files").mkdir()
    for name in ("report.bin", "trust.note"):
        (tmp_path / "files" / name).touch()
    monkeypatch.chdir(tmp_path / "files")
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(shell: str) -> Path:
        code, out, err = run("completion", shell)
        assert (code, err) == (0, "")
        (tmp_path / shell).write_text(out)
        return tmp_path / shell

    return write


def completed(command: list[str], text: str) -> list[set[str]]:
    """What a shell prints, by line: words with tabs between them."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return [set(filter(None, line.split("\t"))) for line in done.stdout.splitlines()]


def test_bash(script: Script) -> None:
    lines = []
    for line, _ in CASES:
        words = line.replace("=", " = ").split(" ")  # as readline parts them
        array = " ".join(f"'{word}'" for word in words)
        lines.append(f"COMP_WORDS=({array}) COMP_CWORD={len(words) - 1}; _ldcat ldcat '{words[-1]}' '{words[-2]}'")
        lines.append("printf '%s\\t' \"${COMPREPLY[@]}\"; echo")
    text = f"source {script('bash')}\n" + "\n".join(lines)
    found = completed([tool("bash"), "--norc"], text)
    assert found == [words for _, words in CASES]


def test_bash_lists_all_commands_options_and_values(script: Script) -> None:
    ask = 'ask() { COMP_WORDS=(ldcat "$@" \'\'); COMP_CWORD=$#+1; set -- "${@: -1}"; _ldcat ldcat \'\' "$1"; '
    ask += "printf '%s\\t' \"${COMPREPLY[@]}\"; echo; }"
    text = f"source {script('bash')}\n{ask}\n"
    commands, vmms = completed([tool("bash"), "--norc"], text + "ask ldcat\nask measure --vmm\n")
    assert {"lookup", "trust", "completion", "import"} <= commands
    assert vmms == {*embedded.profiles(), *embedded.loaders()}


def test_fish(script: Script) -> None:
    path = script("fish")
    lines = [f"echo (complete -C '{line}' | string replace -r '\\t.*' '' | string join \\t)" for line, _ in CASES]
    found = completed([tool("fish"), "--no-config"], f"source {path}\n" + "\n".join(lines))
    assert [{word.rpartition("=")[2] for word in words} for words in found] == [words for _, words in CASES]


def test_zsh(script: Script, tmp_path: Path) -> None:
    """In a terminal: each line is typed, completed with Tab, and written to a file by a key of the test."""
    shown = tmp_path / "shown"
    setup = f"""
PS1= ; zstyle ':completion:*' menu no; setopt no_beep
autoload -Uz compinit; compinit -D -u; source {script("zsh")}
show() {{ print -r -- "$BUFFER" >> {shown}; BUFFER= }}; zle -N show; bindkey '^G' show; bindkey '^I' complete-word
print -r -- ready >> {shown}
"""
    (tmp_path / ".zshrc").write_text(setup)
    process, terminal = pty.fork()
    if process == 0:
        os.execve(tool("zsh"), ["zsh", "-d", "-i"], {**os.environ, "ZDOTDIR": str(tmp_path), "TERM": "dumb"})
    typed = "".join(f"{line}\t\x07" for line, words in CASES if words) + "exit\r"
    try:
        while not shown.exists():
            os.read(terminal, 4096)
        os.write(terminal, typed.encode())
        while os.read(terminal, 4096):
            pass
    except OSError:  # the shell has ended
        pass
    os.waitpid(process, 0)
    os.close(terminal)
    _, *lines = shown.read_text().splitlines()
    expected = []
    for line, words in CASES:
        start, separator, _ = line.rpartition("=") if "=" in line else line.rpartition(" ")
        expected += [f"{start}{separator}{word}" for word in words]
    assert [line.rstrip(" =") for line in lines] == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_name_that_a_shell_would_run_is_left_out(run: Run, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """No embedded record has such a name. Shells expand words when they complete them."""
    hostile = [
        "plain-name",
        "$(touch pwned)",
        "`touch pwned`",
        "a;touch pwned",
        "two pwned",
        "'pwned",
        "-pwned",
        "~pwned",
    ]
    monkeypatch.setattr(completed_values, "names_of", lambda _: hostile)
    code, out, _ = run("completion", shell)
    assert (code, "plain-name" in out, "pwned" in out) == (0, True, False)
