"""Completion for bash: a script that knows all commands, options and embedded names, and so starts no ldcat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from catalog.cli.help_page import HelpPage
from catalog.cli.manuals.completed_values import (
    Values,
    argument_values,
    commands_of,
    names_below,
    options_of,
    quoted,
    values_of,
)

_HEAD = """\
_ldcat() {
    local IFS=$' \\t\\n' command=ldcat word current=$2 previous=$3
    COMPREPLY=()
    if [[ $current == = ]]; then # --option=
        current=
    elif [[ $previous == = ]]; then # --option=value: three words
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$command $word" in
"""
_VALUES = """\
        esac
    done
    case "$command $previous" in
"""
_OTHERWISE = """\
    esac
    if [[ $current == -* ]]; then
        case $command in
"""
_ARGUMENTS = """\
        esac
        return
    fi
    case $command in
"""
_TAIL = """\
    esac
}
_ldcat_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}
_ldcat_files() {
    local files
    mapfile -t files < <(compgen -f -- "$1")
    ((${#files[@]})) || return
    COMPREPLY+=("${files[@]}")
    compopt -o filenames 2>/dev/null
}
complete -F _ldcat ldcat
"""


def bash_completion(pages: Sequence[HelpPage]) -> str:
    """The script. pages: of all commands."""
    values = defaultdict[Values, list[str]](list)
    for page in pages:
        for one in options_of(page):
            if one.value:
                values[values_of(one)] += [quoted(f"{page.name} {name}") for name in one.names]
    lines = [
        f'            {" | ".join(map(quoted, names_below(pages)))}) command="$command $word" ;;\n',
        _VALUES,
        *(
            f"        {' | '.join(names)}) {'; '.join([*_completed(one), 'return'])} ;;\n"
            for one, names in values.items()
        ),
        _OTHERWISE,
        *(f'            {quoted(page.name)}) _ldcat_words {quoted(_options(page))} "$current" ;;\n' for page in pages),
        _ARGUMENTS,
        *(f"        {quoted(page.name)}) {'; '.join(_completed(_places(page))) or ':'} ;;\n" for page in pages),
    ]
    return _HEAD + "".join(lines) + _TAIL


def _options(page: HelpPage) -> str:
    return " ".join(name for one in options_of(page) for name in one.names)


def _places(page: HelpPage) -> Values:
    below = commands_of(page)
    return Values(tuple(below), files=False) if below else argument_values(page)


def _completed(values: Values) -> Iterator[str]:
    if values.words:
        yield f'_ldcat_words {quoted(" ".join(values.words))} "$current"'
    if values.files:
        yield '_ldcat_files "$current"'
