"""Notes: every code has one severity, is used, and is on docs/notes.md; so is every code of a finding."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog import notes
from catalog.notes import CODES, DANGER, INFO, OK, SEVERITIES, WARNING, Note, worst_first
from catalog.pages.assets import assets

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "notes.md").read_text(encoding="utf-8")


def nodes(folder: Path, *without: Path) -> Iterator[ast.AST]:
    """Everything in the modules of a folder."""
    for path in folder.rglob("*.py"):
        if path not in without:
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def table(title: str) -> list[list[str]]:
    """The cells of the rows of the table below a heading."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_page_lists_every_code_with_its_severity() -> None:
    rows = table("Codes of notes")
    assert [(row[0], row[1]) for row in rows] == [(f"`{code}`", f"`{severity}`") for code, severity in CODES.items()]
    assert all(len(row) == 4 and all(row) for row in rows)
    assert list(CODES) == sorted(CODES)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in CODES)
    assert set(CODES.values()) == set(SEVERITIES)


def test_every_code_is_used() -> None:
    used = {
        node.value
        for node in nodes(ROOT / "catalog", Path(notes.__file__))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert CODES.keys() - used == set()


def test_the_page_lists_every_code_of_a_finding() -> None:
    listed = [row[0].strip("`") for row in table("Codes of findings")]
    found = list(nodes(ROOT / "catalog/endorse"))
    made = {
        node.args[0].value
        for node in found
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "Finding"
        and isinstance(node.args[0], ast.Constant)
    }
    assert listed == sorted(listed)
    assert made - set(listed) == set()
    assert set(listed) - {node.value for node in found if isinstance(node, ast.Constant)} == set()


def test_the_scripts_of_the_page_have_the_same_severities() -> None:
    script = assets()["notes.js"].decode()
    made = dict(re.findall(r'^  "([a-z0-9-]+)": "([a-z]+)",$', script, re.MULTILINE))
    assert made
    assert {code: CODES.get(code, severity) for code, severity in made.items()} == made
    used = set(re.findall(r'note\("([a-z0-9-]+)"', "".join(data.decode() for data in assets().values())))
    assert used <= made.keys()


def test_notes_are_values() -> None:
    note = Note("revoked", "a text")
    assert note == Note("revoked", "a text") != Note("deprecated", "a text")
    assert len({note, Note("revoked", "a text"), Note("revoked", "another")}) == 2
    assert repr(note) == "Note('revoked', 'a text')"
    assert note.to_dict() == {"code": "revoked", "severity": "danger", "text": "a text"}
    assert note != "revoked"
    with pytest.raises(KeyError):
        Note("misspelt", "a text")


def test_the_worst_come_first_and_others_stay_in_order() -> None:
    codes = ["inferred", "kernel-hashes-enforced", "deprecated", "revoked", "vmpl-above-0", "debug-allowed"]
    ordered = worst_first([Note(code, "") for code in codes])
    assert [note.severity for note in ordered] == [DANGER, DANGER, WARNING, INFO, INFO, OK]
    assert [note.code for note in ordered][:2] == ["revoked", "debug-allowed"]
    assert [note.code for note in ordered][3:5] == ["inferred", "vmpl-above-0"]
