"""Go programs as oracles: they are built with packages of Debian, and answer questions, a line of JSON each.

With LDCAT_REQUIRE_ORACLES=1 what is missing is an error instead of a skipped test.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest


@dataclass(frozen=True)
class GoProgram:
    """A compiled program. Bytes in a question are encoded as Go expects them."""

    program: Path

    def ask(self, questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answer to each question, with an error that is empty if there is none."""
        lines = "".join(json.dumps(question, default=_to_base64) + "\n" for question in questions)
        done = subprocess.run([self.program], input=lines, check=True, capture_output=True, text=True, encoding="utf-8")
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == lines.count("\n")
        return answers

    def accepts(self, questions: Sequence[dict[str, Any]]) -> list[bool]:
        return [not answer["error"] for answer in self.ask(questions)]


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it if oracles are required."""
    if os.environ.get("LDCAT_REQUIRE_ORACLES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def require(packages: dict[str, Path | str]) -> None:
    """Install the packages of which the folder, or the program of that name, is not there."""
    if _missing(packages):
        _install(list(packages))
    if missing := _missing(packages):
        unavailable(f"{' and '.join(missing)} cannot be installed here: apt-get and root are needed")


def go_build(sources: Path | str, folder: Path, gopath: Path) -> subprocess.CompletedProcess[str]:
    """Build what is in a folder, or the package of this name; the program, if it is one, is `folder/program`."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOCACHE": str(folder / "cache"),
        "GOPATH": str(gopath),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "GOGC": "400",  # the compiler collects its garbage less often, in a fifth less time
        "CGO_ENABLED": "1" if shutil.which("gcc") else "0",  # Debian's standard library is compiled for 1
    }
    where, what = (sources, ["-o", str(folder / "program"), "."]) if isinstance(sources, Path) else (folder, [sources])
    what = ["-ldflags=-s -w", *what]  # nobody debugs it
    return subprocess.run(["go", "build", *what], cwd=where, env=environment, capture_output=True, text=True)


def _missing(packages: dict[str, Path | str]) -> list[str]:
    return [
        package
        for package, there in packages.items()
        if not (there.is_dir() if isinstance(there, Path) else shutil.which(there))
    ]


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (install, ["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True)
        if command is install and done.returncode == 0:
            return


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
