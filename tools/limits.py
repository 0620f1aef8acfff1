"""Functions and files that are too long to read at a glance: part of `make check`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("catalog", "tools")
SUFFIXES = (".py", ".pyi", ".c", ".h", ".js", ".css", ".html", ".sh", ".lua", ".toml")
FUNCTION_LINES = 80
FILE_LINES = 300


def too_long(path: str, source: str) -> Iterator[str]:
    """A line of text for the file, and for each function in it, that has more lines than it may have."""
    lines = len(source.splitlines())
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, more than {FILE_LINES}"
    for node in ast.walk(ast.parse(source)) if path.endswith((".py", ".pyi")) else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, more than {FUNCTION_LINES}"


def main() -> None:
    """Print what is too long; exit with 1 if anything is."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    found = [line for path in paths for line in too_long(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
