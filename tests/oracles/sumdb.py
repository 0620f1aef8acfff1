"""Go's sumdb as a process: the program in go_sumdb, built with Debian's packages, which are installed if possible."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.go_programs import GoProgram, go_build, require

SOURCES = Path(__file__).parent / "go_sumdb"
GOPATH = Path("/usr/share/gocode")
PACKAGES: dict[str, Path | str] = {
    "golang-go": "go",
    "golang-golang-x-mod-dev": GOPATH / "src/golang.org/x/mod/sumdb/tlog",
}


class Sumdb(GoProgram):
    """The compiled program; bytes in answers are decoded."""

    def ask(self, questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_decoded(answer) for answer in super().ask(questions)]


@pytest.fixture(scope="session")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Sumdb:
    require(PACKAGES)
    folder = tmp_path_factory.mktemp("go")
    done = go_build(SOURCES, folder, GOPATH)
    assert done.returncode == 0, done.stderr
    return Sumdb(folder / "program")


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
