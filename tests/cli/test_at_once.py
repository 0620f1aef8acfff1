"""Help and version at once: what is printed is what the full path prints, and no module of a command is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from catalog.cli.light.at_once import said_at_once
from catalog.cli.main import run
from catalog.cli.plain_page import page_in
from tools.help_pages import PAGES, pages_text

NAMES = [line.removeprefix("page\t") for line in PAGES.read_text().splitlines() if line.startswith("page\t")]
ALLOWED = {
    "catalog.abi",
    "catalog.cli.help_text",
    "catalog.cli.light",
    "catalog.cli.plain_page",
    "catalog.cli.program",
    "catalog.errors",
    "catalog.fast",
    "catalog.launch.hashing",
    "catalog.notes",
    "catalog.rows",
    "catalog.values",
    "catalog.version",
}


def test_the_written_pages_are_those_of_the_program() -> None:
    """`make help-pages` writes them."""
    assert PAGES.read_text(encoding="utf-8") == pages_text()


@pytest.mark.parametrize("name", NAMES)
def test_help_is_that_of_the_full_path(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in ("40", "80", "200", "", "0", "x"):
        monkeypatch.setenv("COLUMNS", width)
        words = [*name.split()[1:], "--help"]
        assert run(words) == 0
        assert capsys.readouterr().out == said_at_once(words) == said_at_once([*words[:-1], "-h"])


def test_the_version_is_that_of_the_full_path(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == said_at_once(["--version"])
    monkeypatch.setenv("LDCAT_HASH_BACKEND", "portable")
    assert "SHA-384 chains: portable" in str(said_at_once(["--version"]))
    monkeypatch.setenv("LDCAT_HASH_BACKEND", "quick")
    assert said_at_once(["--version"]) is None


@pytest.mark.parametrize(
    "line",
    [
        "lokup --help",
        "lookup x --help",
        "trust show x --help",
        "trust sho --help",
        "look --help",
        "lookup",
        "--version x",
        "--help lookup",
        "lookup --help=1",
    ],
)
def test_all_else_takes_the_full_path(line: str) -> None:
    assert said_at_once(line.split()) is None


def test_a_name_with_a_tab_or_a_line_end_is_no_page() -> None:
    text = PAGES.read_text()
    assert page_in(text, "ldcat\nusage") is None
    assert page_in(text, "") is None
    assert page_in("", "ldcat") is None


@pytest.mark.parametrize("line", ["--version", "--help", "lookup --help", "trust show -h"])
def test_no_module_of_a_command_is_loaded(line: str) -> None:
    code = (
        "import os, sys\n"
        "before = set(sys.modules)\n"
        f"sys.argv = ['ldcat', *{line.split()!r}]\n"
        "os._exit = lambda code: (print(*set(sys.modules) - before, file=sys.stderr), sys.exit(code))\n"
        "from catalog.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0
    loaded = set(done.stderr.split())
    assert not loaded & {"typer", "msgspec", "dataclasses", "typing", "re", "json", "pyarrow", "duckdb"}
    ours = {name for name in loaded if name.startswith("catalog.")} - {"catalog.__main__"}
    assert {name for name in ours if not any(f"{name}.".startswith(f"{one}.") for one in ALLOWED)} <= {
        "catalog.cli",
        "catalog.launch",
    }
