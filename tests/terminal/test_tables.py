"""Tables for people: drawn where they fit, one cell a line where they do not."""

from __future__ import annotations

import sys

import pytest

from catalog.terminal import render

DIGEST = "5a" * 32


def test_a_table_wider_than_the_terminal_has_one_cell_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    columns, rows = ("vcpus", "launch_digest", "note"), [(1, DIGEST, None), (2, DIGEST, "a\x1bb")]
    monkeypatch.setenv("COLUMNS", "82")
    render.table(columns, rows, title="t")
    assert capsys.readouterr().out == (
        f"t\n| vcpus          1\n| launch_digest  {DIGEST}\n\n"
        f"| vcpus          2\n| launch_digest  {DIGEST}\n| note           a\\x1bb\n"
    )
    monkeypatch.setenv("COLUMNS", "120")
    render.table(columns, rows)
    drawn = capsys.readouterr().out
    assert f"\u2502 {DIGEST} \u2502" in drawn


def test_a_table_that_is_piped_does_not_depend_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    render.table(("launch_digest", "note"), [("5a" * 48, "n" * 10)])
    assert f"\u2502 {'5a' * 48} \u2502" in capsys.readouterr().out
    render.table(("launch_digest", "none", "note"), [(DIGEST * 2, None, "word " * 30), (DIGEST, None, None)])
    assert capsys.readouterr().out == (
        f"| launch_digest  {DIGEST * 2}\n| note           {'word ' * 30}\n\n| launch_digest  {DIGEST}\n"
    )
    render.table(("none",), [])
    assert "none" in capsys.readouterr().out
