"""Completion for fish: a script that knows all commands, options and embedded names, and so starts no ldcat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from catalog.cli.help_page import HelpPage, Parameter
from catalog.cli.manuals.completed_values import (
    Values,
    argument_values,
    commands_of,
    first_sentence,
    names_below,
    options_of,
    values_of,
)

_HEAD = """\
function __ldcat_command
    set -l command ldcat
    for word in (commandline -opc)[2..]
        switch "$command $word"
"""
_MIDDLE = """\
                set command "$command $word"
        end
    end
    echo $command
end
function __ldcat_is
    test (__ldcat_command) = "$argv"
end
complete -c ldcat -e
complete -c ldcat -f
"""


def fish_completion(pages: Sequence[HelpPage]) -> str:
    """The script. pages: of all commands."""
    known = f"            case {' '.join(map(_quoted, names_below(pages)))}\n"
    return _HEAD + known + _MIDDLE + "".join(f"{line}\n" for page in pages for line in _lines(page))


def _lines(page: HelpPage) -> Iterator[str]:
    start = f"complete -c ldcat -n {_quoted(f'__ldcat_is {page.name}')}"
    for name, text in commands_of(page).items():
        yield f"{start} -a {name} -d {_quoted(first_sentence(text))}"
    for one in options_of(page):
        yield f"{start} {_option(one)} -d {_quoted(first_sentence(one.text))}"
    places = argument_values(page)
    if places.words:
        yield f"{start} -a {_quoted(' '.join(places.words))}"
    if places.files:
        yield f"{start} -F"


def _option(one: Parameter) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in one.names)
    return f"{names} {_value(values_of(one))}" if one.value else names


def _value(values: Values) -> str:
    words = f" -a {_quoted(' '.join(values.words))}" if values.words else ""
    return f"-r -F{words}" if values.files else f"-x{words}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
