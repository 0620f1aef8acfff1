"""The layout of the house: a room is small, a file name says which one is meant, and no test stands on another one."""

from __future__ import annotations

import ast
import re
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_FILES = 22


def test_no_room_has_more_files_than_one_can_read_at_a_glance() -> None:
    rooms = Counter(path.parent for path in (ROOT / "catalog").rglob("*.py") if path.name != "__init__.py")
    commands = ROOT / "catalog" / "cli" / "commands"
    assert {str(room): count for room, count in rooms.items() if count > MOST_FILES and room != commands} == {}


def test_no_file_name_is_there_twice_but_a_command_beside_its_room() -> None:
    names = Counter(
        path.name
        for path in (ROOT / "catalog").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "commands"
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_test_module_imports_another() -> None:
    """What tests share is in tests/support/, and its fixtures in a conftest.py: a test can be moved, and run alone."""
    imported = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imports(node)
        if re.search(r"^tests\b.*\btest_", name)
    ]
    assert imported == []


def test_pytest_leaves_no_folder_of_tests_out(pytestconfig: pytest.Config) -> None:
    """Its default leaves out every folder of the name build."""
    left_out = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(folders) > 10
    assert [str(folder) for folder in folders for name in left_out if fnmatch(folder.name, name)] == []


def _imports(node: ast.AST) -> list[str]:
    """Names of modules, and of what may be modules in them."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module or 'tests'}.{alias.name}" for alias in node.names]
    return []
