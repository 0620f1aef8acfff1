"""Completion for zsh: a script that knows all commands, options and embedded names, and so starts no ldcat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from catalog.cli.help_page import HelpPage, Parameter
from catalog.cli.manuals.completed_values import (
    Values,
    argument_values,
    commands_of,
    first_sentence,
    names_below,
    options_of,
    quoted,
    values_of,
)

_HEAD = """\
#compdef ldcat
_ldcat() {
    local command=ldcat at=1 number
    local -a below
    for ((number = 2; number < CURRENT; number++)); do
        case "$command $words[number]" in
"""
_MIDDLE = """\
        esac
    done
    words=("${(@)words[at,-1]}")
    ((CURRENT -= at - 1))
    case $command in
"""
_TAIL = """\
    esac
}
if [[ $funcstack[1] == _ldcat ]]; then
    _ldcat "$@"
else
    compdef _ldcat ldcat
fi
"""


def zsh_completion(pages: Sequence[HelpPage]) -> str:
    """The script. pages: of all commands."""
    names = "|".join(map(quoted, names_below(pages)))
    known = f'            ({names}) command="$command $words[number]" at=$number ;;\n'
    return _HEAD + known + _MIDDLE + "".join(line for page in pages for line in _case(page)) + _TAIL


def _case(page: HelpPage) -> Iterator[str]:
    yield f"    ({quoted(page.name)})\n"
    below = commands_of(page)
    places = argument_values(page)
    if below:
        described = (quoted(f"{name}:{first_sentence(text)}") for name, text in below.items())
        yield f"        below=({' '.join(described)})\n"
    yield "        _arguments -s -S"
    for one in options_of(page):
        yield from (f" \\\n            {spec}" for spec in _specs(one))
    if below:
        yield " \\\n            '1: :{_describe command below}'"
    elif page.arguments:
        yield f" \\\n            {quoted('*:value:' + _action(places))}"
    yield "\n        ;;\n"


def _specs(one: Parameter) -> Iterator[str]:
    text = re.sub(r"([\[\]:\\])", r"\\\1", first_sentence(one.text))
    apart = "" if one.repeats else f"({' '.join(one.names)})"
    for name in one.names:
        star = "*" if one.repeats else ""
        if not one.value:
            yield quoted(f"{apart}{name}[{text}]")
        else:
            equals = "=" if name.startswith("--") else "+"
            yield quoted(f"{apart}{star}{name}{equals}[{text}]:{one.value.replace(':', ' ')}:{_action(values_of(one))}")


def _action(values: Values) -> str:
    words = " ".join(values.words)
    if words and values.files:
        return f"{{compadd -- {words}; _files}}"
    return f"({words})" if words else "_files" if values.files else " "
