"""Go's sumdb as a process: the program in go_sumdb, built with Debian's packages, which are installed if possible.

With LDCAT_REQUIRE_ORACLES=1 missing programs are errors instead of skipped tests.
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
from typing import Any

import pytest

PACKAGES = ["golang-go", "golang-golang-x-mod-dev"]
SOURCES = Path(__file__).parent / "go_sumdb"
GOPATH = Path("/usr/share/gocode")


@dataclass(frozen=True)
class Sumdb:
    """The compiled program."""

    program: Path

    def ask(self, questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answer to each question, with an error that is empty if there is none; bytes are encoded and decoded."""
        lines = "".join(json.dumps(question, default=_to_base64) + "\n" for question in questions)
        done = subprocess.run([self.program], input=lines, check=True, capture_output=True, text=True, encoding="utf-8")
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == lines.count("\n")
        return [_decoded(answer) for answer in answers]

    def accepts(self, questions: Sequence[dict[str, Any]]) -> list[bool]:
        return [not answer["error"] for answer in self.ask(questions)]


@pytest.fixture(scope="session")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Sumdb:
    if missing := _missing():
        _install()
        missing = _missing()
    if missing:
        reason = f"{' and '.join(missing)} cannot be installed here: apt-get and root are needed"
        (pytest.fail if os.environ.get("LDCAT_REQUIRE_ORACLES") == "1" else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("go")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOCACHE": str(folder / "cache"),
        "GOPATH": str(GOPATH),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    build = ["go", "build", "-o", str(folder / "sumdb"), "."]
    done = subprocess.run(build, cwd=SOURCES, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Sumdb(folder / "sumdb")


def _missing() -> list[str]:
    there = [shutil.which("go") is not None, (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir()]
    return [package for package, found in zip(PACKAGES, there, strict=True) if not found]


def _install() -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    for command in (install, ["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True)
        if command is install and done.returncode == 0:
            return


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decoded(answer: dict[str, Any]) -> dict[str, Any]:
    """nil becomes empty."""
    return {
        **answer,
        "signers": answer["signers"] or [],
        "note": base64.b64decode(answer["note"] or ""),
        "root": base64.b64decode(answer["root"] or ""),
        "hashes": [base64.b64decode(value) for value in answer["hashes"] or []],
        "tiles": {path: base64.b64decode(data) for path, data in (answer["tiles"] or {}).items()},
    }
