"""Man pages: what man and groff say about them, and what a reader sees."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.tools import tool
from tools.man_pages import write_man_pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_man_pages(tmp_path_factory.mktemp("man"))


def test_every_command_has_a_page_of_its_own(pages: list[Path]) -> None:
    names = {path.stem for path in pages}
    assert {"ldcat", "ldcat-lookup", "ldcat-import", "ldcat-trust", "ldcat-trust-show", "ldcat-completion"} <= names
    for path in pages:
        for name in re.findall(r"\\fB([a-z\\-]+)\\fR\(1\)", path.read_text()):
            assert name.replace("\\", "") in names, f"{path.name} names {name}"


def test_groff_has_no_warnings(pages: list[Path]) -> None:
    command = [tool("groff"), "-man", "-ww", "-z", "-Tutf8", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_man_has_no_warnings_and_shows_the_text(pages: list[Path]) -> None:
    (path,) = (path for path in pages if path.stem == "ldcat-trust-init")
    command = [tool("man"), "--warnings", "-l", str(path)]
    environment = {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ldcat-trust-init - Print the text of a new trust note" in " ".join(done.stdout.split())
    assert '--root a="$(cat keys/root-1.key.pub)"' in done.stdout
    assert "--log-signatures any|all" in done.stdout


def test_pages_do_not_depend_on_when_they_are_written(pages: list[Path], tmp_path: Path) -> None:
    (tmp_path / "ldcat-gone.1").touch()
    again = write_man_pages(tmp_path)
    assert {path.name: path.read_bytes() for path in again} == {path.name: path.read_bytes() for path in pages}
    assert sorted(tmp_path.iterdir()) == again
