"""A help page as text that fits any width: `--help` as git, cargo and gh print it."""

from __future__ import annotations

import os
import sys

from catalog.fast.note_text import has_colours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from catalog.cli.plain_page import PlainPage

_HEADING, _NAME = "1", "36"
_COLUMN = 28
"""Where the texts of options begin, if names are shorter than this; longer names have a line of their own."""
_NARROW = 64
"""In fewer columns every text is below its name."""
_NO_TERMINAL = 80
"""Columns if stdout is no terminal."""


def help_text(page: PlainPage) -> str:
    """A help page for this terminal; for 80 columns if stdout is none, unless COLUMNS says otherwise."""
    return "".join(f"{line}\n" for line in help_lines(page, _columns(), colours=has_colours()))


def _columns() -> int:
    """As `shutil.get_terminal_size`, which takes longer to import than help takes to print."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _NO_TERMINAL  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # stdout is closed, or no terminal
        return _NO_TERMINAL


class _Ink:
    """Colours, or none: they repeat what the text shows by its place."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted

    def heading(self, text: str) -> str:
        return self._in(_HEADING, text)

    def name(self, text: str) -> str:
        return self._in(_NAME, text)

    def _in(self, colour: str, text: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._wanted else text


def help_lines(page: PlainPage, width: int, *, colours: bool) -> Iterator[str]:
    """The lines of a help page, none longer than a width in columns unless a word is."""
    ink = _Ink(wanted=colours)
    beside = width >= _NARROW
    first, *rest = _wrapped(
        page.usage.removeprefix(f"{page.name} "), width, len(f"Usage: {page.name} ") if beside else 4
    )
    name = f"{ink.heading('Usage:')} {ink.name(page.name)}"
    yield from [f"{name} {first.lstrip()}"] if beside else [name, first]
    yield from rest
    for paragraph in page.paragraphs:
        yield from ("", *_wrapped(paragraph, width))
    if page.examples:
        yield from ("", ink.heading("Examples:"))
    for line, what in page.examples:
        yield from _wrapped(f"{what}:", width, 2)
        yield from map(ink.name, command_line(line, width))
    for title, pairs in page.sections:
        yield from _section(title, pairs, width, ink)


def _section(title: str, pairs: Sequence[tuple[str, str]], width: int, ink: _Ink) -> Iterator[str]:
    """Names and texts: beside each other as far as the names are short and the terminal is wide."""
    if not pairs:
        return
    yield from ("", *map(ink.heading, _wrapped(f"{title}:", width)))
    beside = max((len(name) for name, _ in pairs if len(name) + 4 <= _COLUMN), default=0) if width >= _NARROW else 0
    for name, text in pairs:
        lines = _wrapped(text, width, beside + 4 if beside else 6)
        if len(name) <= beside:
            yield f"  {ink.name(name)}{' ' * (beside + 2 - len(name))}{lines.pop(0).lstrip()}".rstrip()
        else:
            yield f"  {ink.name(name)}"
        yield from lines


def command_line(line: str, width: int) -> Iterator[str]:
    """A command line that can be copied: what does not fit follows a backslash, and an option keeps its value."""
    shown = "   "
    for part in _parts(line, width - 10):
        if len(shown) + 1 + len(part) > width - 2 and shown.strip():
            yield f"{shown} \\"
            shown = "       "
        shown += f" {part}"
    yield shown


def _parts(line: str, longest: int) -> Iterator[str]:
    """The words of a command line, an option together with its value unless they are too long for that."""
    words = _words(line)
    for at, word in enumerate(words):
        if at and _together(words[at - 1], word, longest):
            continue
        after = words[at + 1 : at + 2]
        yield f"{word} {after[0]}" if after and _together(word, after[0], longest) else word


def _together(word: str, after: str, longest: int) -> bool:
    return len(word) > 1 and word[0] == "-" != after[0] and len(word) + 1 + len(after) <= longest


def _words(line: str) -> list[str]:
    """The words of a command line, with their quotation marks."""
    words, quote = [""], ""
    for character in line:
        if character == " " and not quote:
            words.append("")
            continue
        words[-1] += character
        if character in (quote or "'\""):
            quote = "" if quote else character
    return [word for word in words if word]


def _wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """At least one line; none is empty unless the text is. As `textwrap.wrap`: no word is broken."""
    lines = [""]
    for word in text.split():
        if lines[-1] and indent + len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return [" " * indent + line for line in lines] if lines[0] else [""]
