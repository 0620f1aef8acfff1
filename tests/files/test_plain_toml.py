"""The reader of plain TOML: what it reads of the files that ship with ldcat is what tomllib reads."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from catalog.files.plain_toml import read_plain_toml

DATA = Path(__file__).parents[2] / "data"
FILES = sorted(DATA.rglob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(DATA).as_posix() for path in FILES])
def test_every_embedded_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert read_plain_toml(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a=1",
        "a = ",
        "a = b",
        "a = true",
        "a = 1.5",
        "a = 1 2",
        'a = "x',
        'a = """x',
        'a = "x" "y"',
        'a = "\\n"',
        "a = [1",
        "a = [1, x]",
        "a = { b = 1",
        "a b = 1",
        "[a",
        "[[a]",
    ],
)
def test_what_it_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_plain_toml(text)
