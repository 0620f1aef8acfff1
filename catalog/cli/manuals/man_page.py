"""Man pages in roff (man(7)), made from the same pages as `--help`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from catalog.cli.help_page import HelpPage
from catalog.cli.help_text import command_line
from catalog.version import __version__

_WIDTH = 76
"""Columns of examples, so that they fit 80 with the indent of a page."""


def man_name(page: HelpPage) -> str:
    """The name of the man page of a command, such as `ldcat-trust-show`."""
    return page.name.replace(" ", "-")


def man_page(page: HelpPage, pages: Sequence[HelpPage]) -> str:
    """The man page of a command. pages: of all commands, of which it names those near it."""
    return "".join(f"{line}\n" for line in _lines(page, pages))


def _lines(page: HelpPage, pages: Sequence[HelpPage]) -> Iterator[str]:
    yield f'.TH {man_name(page).upper()} 1 "" "ldcat {__version__}" "ldcat"'
    yield from (".nr HY 0", ".nh", ".ad l")  # no hyphenation, not after a macro either, and ragged right
    yield from (".SH NAME", f"{_text(man_name(page))} \\- {_text(page.summary.removesuffix('.'))}")
    usage = page.usage.removeprefix(page.name).strip()
    yield from (".SH SYNOPSIS", f".B {_text(page.name)}", _text(usage))
    if page.paragraphs:
        yield ".SH DESCRIPTION"
        yield from _joined([_text(paragraph)] for paragraph in page.paragraphs)
    if page.examples:
        yield ".SH EXAMPLES"
    for example in page.examples:
        yield from (".PP", f"{_text(example.what)}:", ".PP", ".RS 4", ".EX")
        yield from (_text(line[4:]) for line in command_line(example.line, _WIDTH))
        yield from (".EE", ".RE")
    for title, commands in page.commands.items():
        yield f".SH {_text(title).upper()}"
        for name, summary in commands:
            yield from (".TP", f"\\fB{_text(f'{page.name} {name}'.replace(' ', '-'))}\\fR(1)", _text(summary))
    if page.arguments:
        yield ".SH ARGUMENTS"
    for one in page.arguments:
        yield from (".TP", f"\\fI{_text(one.value)}\\fR", _text(one.whole_text()))
    yield ".SH OPTIONS"
    for number, (title, options) in enumerate(page.options.items()):
        yield from [f'.SS "{_text(title)}"'] if number else []
        for one in options:
            names = ", ".join(f"\\fB{_text(name)}\\fR" for name in one.names)
            yield from (".TP", f"{names} \\fI{_text(one.value)}\\fR" if one.value else names, _text(one.whole_text()))
    if page.exit_codes:
        yield ".SH EXIT STATUS"
    for code, meaning in page.exit_codes.items():
        yield from (".TP", f"\\fB{code}\\fR", _text(meaning))
    yield from (".SH SEE ALSO", _see_also(page, pages))


def _joined(paragraphs: Iterator[list[str]]) -> Iterator[str]:
    for number, lines in enumerate(paragraphs):
        yield from [".PP"] if number else []
        yield from lines


def _see_also(page: HelpPage, pages: Sequence[HelpPage]) -> str:
    """Commands above, beside and below a command that has sub-commands; otherwise `ldcat` alone."""
    family = page.name.split(" ")[1:2]
    near = [one for one in pages if one is not page and family and one.name.split(" ")[1:2] == family]
    named = [one for one in pages if one.name == "ldcat" and one is not page] + near
    others = [f"\\fB{_text(man_name(one))}\\fR(1)" for one in named or pages[1:4]]
    return ", ".join(others)


def _text(text: str) -> str:
    """A text on one line, with what roff gives a meaning escaped; what is in backticks is bold."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    marked = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", plain)
    return f"\\&{marked}" if marked.startswith(".") else marked
