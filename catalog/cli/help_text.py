"""A help page as text that fits any width: `--help` as git, cargo and gh print it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from itertools import chain
from textwrap import wrap

from catalog.cli.help_page import HelpPage
from catalog.fast.note_text import has_colours

_HEADING, _NAME = "1", "36"
_WORD = r"""(?:'[^']*'|"[^"]*"|\S)"""
"""A part of a word of a command line."""
_COLUMN = 28
"""Where the texts of options begin, if names are shorter than this; longer names have a line of their own."""
_NARROW = 64
"""In fewer columns every text is below its name."""


def help_text(page: HelpPage) -> str:
    """A help page for this terminal; for 80 columns if stdout is none, unless COLUMNS says otherwise."""
    width = shutil.get_terminal_size().columns
    return "".join(f"{line}\n" for line in help_lines(page, width, colours=has_colours()))


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


def help_lines(page: HelpPage, width: int, *, colours: bool) -> Iterator[str]:
    """The lines of a help page, none longer than a width in columns unless a word is."""
    ink = _Ink(wanted=colours)
    beside = width >= _NARROW
    first, *rest = _wrapped(
        page.usage.removeprefix(f"{page.name} "), width, len(f"Usage: {page.name} ") if beside else 4
    )
    name = f"{ink.heading('Usage:')} {ink.name(page.name)}"
    yield from [f"{name} {first.lstrip()}"] if beside else [name, first]
    yield from rest
    for paragraph in (page.summary, *page.paragraphs):
        yield from ("", *_wrapped(paragraph, width))
    if page.examples:
        yield from ("", ink.heading("Examples:"))
    for example in page.examples:
        yield from _wrapped(f"{example.what}:", width, 2)
        yield from map(ink.name, command_line(example.line, width))
    for title, commands in page.commands.items():
        yield from _section(title, commands, width, ink)
    yield from _section("Arguments", [(one.value, one.whole_text()) for one in page.arguments], width, ink)
    for title, options in page.options.items():
        yield from _section(title, [(one.title(), one.whole_text()) for one in options], width, ink)
    yield from _section("Exit codes", [(str(code), text) for code, text in page.exit_codes.items()], width, ink)


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
    parts = re.findall(rf"-{_WORD}+ (?!-){_WORD}+|{_WORD}+", line)
    together = (re.findall(rf"{_WORD}+", part) if len(part) > width - 10 else [part] for part in parts)
    for part in chain.from_iterable(together):
        if len(shown) + 1 + len(part) > width - 2 and shown.strip():
            yield f"{shown} \\"
            shown = "       "
        shown += f" {part}"
    yield shown


def _wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """At least one line; none is empty unless the text is."""
    edge = " " * indent
    found = wrap(
        text, width, initial_indent=edge, subsequent_indent=edge, break_long_words=False, break_on_hyphens=False
    )
    return found or [""]
