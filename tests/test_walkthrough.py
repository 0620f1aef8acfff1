"""docs/walkthrough.md is run line by line, in one shell, from an empty home; every output has to be as it is shown."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import waiting
from tests.support.shown_output import pattern

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/walkthrough.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```console walkthrough(?: exit=(\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "8190"
"""Of the witness, on the page."""


def steps() -> Iterator[tuple[str, int, list[str]]]:
    """Command line, expected exit code and the lines shown for it."""
    for code, block in BLOCK.findall(PAGE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            yield command, int(code or 0), shown


class Shell:
    """A shell that runs one line after the other; its home and its current folder at first are in `folder`."""

    def __init__(self, folder: Path, program: Path) -> None:
        (folder / "home").mkdir()
        path = f"{program.parent}:{os.environ['PATH']}"
        self.out, self.err = folder / "out", folder / "err"
        self.process = subprocess.Popen(
            ["/bin/bash", "--norc"],
            env={"HOME": str(folder / "home"), "PATH": path, "LANG": "C.UTF-8"},
            cwd=folder / "home",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, line: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr; of a command in the background, once it has said something."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{{ {line}\n}} > {self.out} 2> {self.err} < /dev/null\necho $?\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        if line.endswith("&"):
            waiting.until(lambda: self.err.read_text().endswith("\n"))
        return code, self.out.read_text(), self.err.read_text()


@pytest.fixture
def shell(tmp_path: Path, program: Path) -> Iterator[Shell]:
    found = Shell(tmp_path, program)
    with found.process:
        yield found
        found("kill $(jobs -p)")
        found.process.communicate()


def test_every_line_does_what_the_page_shows(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = str(probe.getsockname()[1])
    for command, code, shown in steps():
        got, out, err = shell(command.replace(PORT, free))
        assert got == code, f"{command}\n{err}"
        lines = [line.replace(PORT, free) for line in shown]
        expected = [line for line in lines if line.startswith("ldcat: ")]
        if expected:
            assert re.fullmatch(pattern(expected), err), f"{command}\n{err}"
        else:
            assert "error" not in err, f"{command}\n{err}"
        assert re.fullmatch(pattern([line for line in lines if line not in expected]), out), f"{command}\n{out}"


def test_four_commands_lead_to_a_verified_lookup() -> None:
    """The first half of the page: up to the lookup there is no other command, and none writes a file by hand."""
    commands = [command for command, _, _ in steps()]
    first = commands[1 : next(n for n, command in enumerate(commands) if "ldcat lookup" in command) + 1]
    assert [command.split()[1] for command in first if not command.startswith("DIGEST=")] == [
        "init",
        "build",
        "publish",
        "lookup",
    ]
