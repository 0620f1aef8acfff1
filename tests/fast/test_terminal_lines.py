"""Lines that fit a terminal."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.fast.match_text import shown_lines
from catalog.fast.terminal_lines import fitted, terminal_width

DIGEST = "ab" * 48


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        ("  launch digest  " + DIGEST, 113, ["  launch digest  " + DIGEST]),
        ("  launch digest  " + DIGEST, 112, ["  launch digest", " " * 16 + DIGEST]),
        ("  launch digest  " + DIGEST, 98, ["  launch digest", "  " + DIGEST]),
        ("  launch digest  " + DIGEST, 97, ["  launch digest  " + DIGEST]),
        ("  text  ok: verified " + DIGEST, 100, ["  text  ok: verified", "    " + DIGEST]),
        ("  " + DIGEST, 97, ["  " + DIGEST]),
    ],
)
def test_a_digest_that_is_too_long_here_is_on_its_own_line(line: str, width: int, shown: list[str]) -> None:
    assert list(fitted(line, width)) == shown


@given(st.text(st.sampled_from("ok: FORGED"), min_size=30, max_size=200))
def test_no_line_begins_with_words_from_outside(text: str) -> None:
    assert list(fitted(f"  name  {text}", 30)) == [f"  name  {text}"]


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width() is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((97, 9)))
    assert terminal_width() == 97
    for said, width in (("60", 60), ("x", 97), ("", 97), ("3", None), ("\u00b2", 97)):
        monkeypatch.setenv("COLUMNS", said)
        assert terminal_width() == width
    monkeypatch.setenv("COLUMNS", "60")
    assert shown_lines(["  aaaa  " + "5a" * 28]) == "  aaaa\n    " + "5a" * 28 + "\n"
    monkeypatch.delenv("COLUMNS")

    def fails(_: int) -> os.terminal_size:
        raise OSError

    monkeypatch.setattr("os.get_terminal_size", fails)
    assert terminal_width() is None
