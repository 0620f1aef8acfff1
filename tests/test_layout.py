"""The layout of the repository: the size of folders, unique file names, and independent test modules."""

from __future__ import annotations

import ast
import re
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_FILES = 22


def test_no_folder_has_too_many_files() -> None:
    rooms = Counter(path.parent for path in (ROOT / "catalog").rglob("*.py") if path.name != "__init__.py")
    commands = ROOT / "catalog" / "cli" / "commands"
    assert {str(room): count for room, count in rooms.items() if count > MOST_FILES and room != commands} == {}


def test_file_names_are_unique_except_for_commands() -> None:
    names = Counter(
        path.name
        for path in (ROOT / "catalog").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "commands"
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_test_module_imports_another() -> None:
    """Shared code is in tests/support/, fixtures in a conftest.py: a test module can be moved, and run on its own."""
    imported = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imports(node)
        if re.search(r"^tests\b.*\btest_", name)
    ]
    assert imported == []


def test_pytest_collects_every_folder_of_tests(pytestconfig: pytest.Config) -> None:
    """Its default excludes every folder of the name build."""
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
