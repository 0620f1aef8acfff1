"""Conventions for contributors: `make help`, the pre-commit hooks, and the pages about contributing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    out = subprocess.run(["make", "--silent", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert {line.split()[0] for line in out.splitlines()} == set(targets.split())
    assert all(len(line.split()) > 2 for line in out.splitlines())


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
def test_make_catalog_says_what_takes_so_long(tmp_path: Path) -> None:
    command = ["make", "--no-print-directory", "--dry-run", f"VENV={tmp_path / 'venv'}", "catalog"]
    first, *others = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert first.startswith("echo 'installing ldcat")
    assert not [line for line in others if "#" in line]


def test_the_hooks_run_the_same_as_make_check() -> None:
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    hooks = re.findall(r"^ +entry: (.*)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    assert [line.strip().replace("$(BIN)/", ".venv/bin/") for line in recipe.splitlines()] == hooks


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_pages_next_to_the_readme_are_valid(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)[)#]", page):
        assert (ROOT / target).exists(), f"{name}: {target}"
    for path in re.findall(r"`((?:catalog|tests|data|docs)/[A-Za-z0-9_./-]+)`", page):
        assert "NAME" in path or (ROOT / path).exists(), f"{name}: {path}"


def test_the_changelog_has_the_headings_of_keep_a_changelog() -> None:
    headings = re.findall(r"^### (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Digests changed"}
