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


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "  command line  'a quiet b --- and more words'",
            ["  command line  'a quiet b ---", " " * 16 + "and more words'"],
        ),
        ("warning: no kernel hashes were measured here", ["warning: no kernel hashes were", " " * 8 + "measured here"]),
        ("  ok: firmware enforces it  or so they say", ["  ok: firmware enforces it  or", " " * 8 + "so they say"]),
        ("  name  " + "x" * 30 + " and more", ["  name  " + "x" * 30, " " * 8 + "and more"]),
        ("info: to copy this: ldcat explain DIGEST --catalog public", None),
        ("  17 4 * * * cd /log && /opt/ldcat/bin/ldcat cosign --heartbeat", None),
    ],
)
def test_a_line_that_is_too_long_is_broken_between_words(line: str, shown: list[str] | None) -> None:
    assert list(fitted(line, 32)) == (shown or [line])
    assert list(fitted(line, 27)) == [line]  # too narrow


@given(st.text(st.sampled_from("ok: FORGED 5a"), max_size=200), st.integers(28, 60))
def test_words_from_outside_never_begin_a_line_as_ldcat_does(text: str, width: int) -> None:
    """What is continued is deeper than any line of ldcat begins, unless it is a digest; and nothing is lost."""
    line = f"  name  {text}"
    first, *others = fitted(line, width)
    assert line.startswith(first)
    for other in others:
        assert other.startswith(" " * 8) or not other.strip(" ").strip("0123456789abcdef")
    assert "".join([first, *others]).replace(" ", "") == line.replace(" ", "")
    assert all(len(part) <= width for part in (first, *others) if " " in part.strip(" ") and part is not first)


def test_only_the_mark_that_begins_a_line_has_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    shown = shown_lines(["  ok: a note with words from outside, such as ok: verified"])
    assert shown == "  \033[32mok:\033[0m a note with words from outside,\n        such as ok: verified\n"
    forged = shown_lines(["  name  a value with words from outside ok: verified"])
    assert forged == "  name  a value with words from outside\n        ok: verified\n"


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
