"""Notes as text: the worst first, each once, marked in words, and in colour only on a terminal that wants it."""

from __future__ import annotations

import sys

import pytest

from catalog.fast.match_text import shown_lines
from catalog.fast.note_text import coloured, first_lines, has_colours, note_line, part_lines, shared_notes, titled
from catalog.notes import Note

REVOKED, DEBUG = Note("revoked", "revoked by the publisher"), Note("debug-allowed", "debugging is allowed")
WARNING, INFO, OK = Note("deprecated", "an old one"), Note("inferred", "a text"), Note("kernel-hashes-enforced", "fine")


def test_each_severity_has_a_word() -> None:
    marks = [note_line(note, "  ") for note in (DEBUG, WARNING, INFO, OK)]
    assert marks == ["  DANGER: debugging is allowed", "  warning: an old one", "  info: a text", "  ok: fine"]


def test_a_danger_of_all_parts_is_printed_once_above_them() -> None:
    assert list(first_lines([[REVOKED, OK]], "match", "matches")) == ["DANGER: revoked by the publisher"]
    assert list(first_lines([[REVOKED], [REVOKED, WARNING]], "match", "matches")) == [
        "DANGER: revoked by the publisher"
    ]
    assert list(first_lines([[WARNING], []], "match", "matches")) == []
    assert list(first_lines([], "match", "matches")) == []


def test_a_danger_of_some_parts_is_told_first() -> None:
    assert list(first_lines([[OK], [REVOKED]], "match", "matches")) == [
        "DANGER: do not rely on match 2 of 2: see its notes"
    ]
    assert list(first_lines([[REVOKED], [OK], [DEBUG]], "match", "matches")) == [
        "DANGER: do not rely on 2 of 3 matches: see their notes"
    ]
    assert list(first_lines([[DEBUG, REVOKED], [DEBUG]], "match", "matches")) == [
        "DANGER: debugging is allowed",
        "DANGER: do not rely on match 1 of 2: see its notes",
    ]


def test_a_part_has_dangers_above_its_facts() -> None:
    lines = list(part_lines(["a title", "  a fact", "  another"], [DEBUG, WARNING, OK]))
    assert lines == [
        "a title",
        "  DANGER: debugging is allowed",
        "  a fact",
        "  another",
        "  warning: an old one",
        "  ok: fine",
    ]
    assert [titled("a", [REVOKED]), titled("a", [DEBUG]), titled("a", [WARNING])] == ["a, REVOKED", "a, DANGER", "a"]
    assert shared_notes([[REVOKED, OK, INFO], [INFO, REVOKED]]) == [REVOKED, INFO]


@pytest.mark.parametrize(
    ("line", "painted"),
    [
        ("  DANGER: bad", "  \033[1;31mDANGER:\033[0m bad"),
        ("warning: odd", "\033[33mwarning:\033[0m odd"),
        ("  ok: fine", "  \033[32mok:\033[0m fine"),
        ("  ok: signature: fine", "  \033[32mok:\033[0m signature: fine"),
        ("  DANGER: chain: bad", "  \033[1;31mDANGER:\033[0m chain: bad"),
        ("match 1 of 1: sev, REVOKED", "match 1 of 1: sev, \033[1;31mREVOKED\033[0m"),
        ("  launchable  yes", "  launchable  yes"),
        ("info: a text", "info: a text"),
    ],
)
def test_only_the_mark_is_coloured(line: str, painted: str) -> None:
    assert coloured(line) == painted


@pytest.mark.parametrize(
    ("is_terminal", "variables", "wanted"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, {"TERM": "xterm"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"CLICOLOR_FORCE": "1"}, True),
        (False, {"CLICOLOR_FORCE": "0", "FORCE_COLOR": ""}, False),
        (True, {"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, variables: dict[str, str], wanted: bool
) -> None:
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert has_colours() == wanted
    assert ("\033[" in shown_lines(["DANGER: a", "b\033[1m"])) == wanted
    assert "b\\x1b[1m\n" in shown_lines(["DANGER: a", "b\033[1m"])
