"""Notes as lines of text: a word marks the severity, and danger is printed above the facts.

The mark is a word, so that screen readers read it and nobody has to tell colours apart. A terminal shows it in colour.
"""

from __future__ import annotations

import os
import sys

from catalog.notes import DANGER, INFO, OK, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from catalog.notes import Note

MARKS = {OK: "ok", INFO: "info", WARNING: "warning", DANGER: "DANGER"}
"""The mark of each severity, on the command line and on pages."""

_RED, _YELLOW, _GREEN = "1;31", "33", "32"
_COLOURS = {
    "DANGER:": _RED,
    "warning:": _YELLOW,
    "ok:": _GREEN,
}
_OF_TITLES = (", REVOKED", ", DANGER")


def note_line(note: Note, indent: str = "") -> str:
    """A note as a line, such as `warning: no kernel hashes were measured`."""
    return f"{indent}{MARKS[note.severity]}: {note.text}"


def dangers(notes: Sequence[Note]) -> list[Note]:
    """The notes of the severity danger."""
    return [note for note in notes if note.severity == DANGER]


def shared_notes(parts: Sequence[Sequence[Note]]) -> list[Note]:
    """The notes that every part of an answer has. parts: the notes of each."""
    return [note for note in parts[0] if all(note in part for part in parts)] if parts else []


def first_lines(parts: Sequence[Sequence[Note]], one: str, many: str) -> Iterator[str]:
    """The lines above all parts of one kind: what is a danger of each, then how many have another danger.

    one, many: what a part and several are called.
    """
    of_all = dangers(shared_notes(parts))
    yield from map(note_line, of_all)
    bad = [number for number, notes in enumerate(parts, 1) if [note for note in dangers(notes) if note not in of_all]]
    if len(bad) == 1:
        yield f"{MARKS[DANGER]}: do not rely on {one} {bad[0]} of {len(parts)}: see its notes"
    elif bad:
        yield f"{MARKS[DANGER]}: do not rely on {len(bad)} of {len(parts)} {many}: see their notes"


def titled(title: str, notes: Sequence[Note]) -> str:
    """The title of a part, which says if it is revoked, or if there is another danger."""
    if any(note.code == "revoked" for note in notes):
        return f"{title}, REVOKED"
    return f"{title}, DANGER" if dangers(notes) else title


def part_lines(lines: Sequence[str], notes: Sequence[Note]) -> Iterator[str]:
    """A part of an answer with its notes: its title, what is a danger, its facts, other notes.

    lines: title and facts. notes: without those that are printed above all parts.
    """
    bad = dangers(notes)
    yield lines[0]
    yield from (note_line(note, "  ") for note in bad)
    yield from lines[1:]
    yield from (note_line(note, "  ") for note in notes if note not in bad)


def has_colours() -> bool:
    """Whether stdout shows colours, and the user wants them.

    It does if it is a terminal, or if CLICOLOR_FORCE or FORCE_COLOR says so; NO_COLOR wins.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("CLICOLOR_FORCE", "FORCE_COLOR")):
        return True
    return os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown") and sys.stdout.isatty()


def coloured(line: str) -> str:
    """A printable line of an answer with its mark in colour."""
    body = line.lstrip(" ")
    for mark, colour in _COLOURS.items():
        if body.startswith(mark):
            indent = line[: len(line) - len(body)]
            return f"{indent}\033[{colour}m{mark}\033[0m{body[len(mark) :]}"
    for mark in _OF_TITLES:
        if line.endswith(mark):
            return f"{line[: -len(mark)]}, \033[{_RED}m{mark[2:]}\033[0m"
    return line
