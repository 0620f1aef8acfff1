"""What a shell completes as the value of an option or an argument: words, files, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from catalog.cli.help_page import HelpPage, Parameter
from catalog.cli.manuals.listings import Listed, names_of
from catalog.launch.technology import technologies

_FILES = {
    *("CATALOG", "DIR", "FILE", "FIRMWARE", "LOG", "NEW", "NOTE", "OLD", "PATH", "PEM", "RELEASE"),
    *("RECORD.toml", "SPEC.toml"),
}
"""What stands for a file or a folder in the value of a parameter."""


_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/:@=,-]*")
"""Words without a meaning for shells, which expand `$(command)` in words that they complete, quoted or not."""


class Values(NamedTuple):
    """What is completed."""

    words: tuple[str, ...]
    files: bool


def values_of(parameter: Parameter) -> Values:
    """What a parameter takes, as far as it is known."""
    parts = set(re.split(r"[|\[\]]|\.\.\.", parameter.value))
    words = parameter.choices or tuple(_words(parameter, parts))
    return Values(tuple(filter(_PLAIN.fullmatch, words)), bool(parts & _FILES))


def _words(parameter: Parameter, parts: set[str]) -> Iterator[str]:
    name = parameter.names[-1] if parameter.names else ""
    if "PROFILE" in parts:
        yield from names_of(Listed.VMMS)
    elif name == "--technology":
        yield from sorted(technologies())
    elif name == "--to":
        yield from names_of(Listed.EXPORT_FORMATS)
    elif name == "--vcpu-type":
        yield from names_of(Listed.VCPU_TYPES)
    elif name == "--kernel-hashes":
        yield from names_of(Listed.KERNELS)
    elif name == "--firmware" or "FIRMWARE" in parts or (not name and "NAME" in parts and "FILE" in parts):
        yield from names_of(Listed.BUILDS)
    if "none" in parts:
        yield "none"


def options_of(page: HelpPage) -> list[Parameter]:
    """Every option of a command."""
    return [one for group in page.options.values() for one in group]


def commands_of(page: HelpPage) -> dict[str, str]:
    """The commands below a command, and what each does."""
    return {name: text for group in page.commands.values() for name, text in group}


def argument_values(page: HelpPage) -> Values:
    """What the arguments of a command take, all together."""
    found = [values_of(one) for one in page.arguments]
    return Values(tuple(word for one in found for word in one.words), any(one.files for one in found))


def first_sentence(text: str) -> str:
    """The beginning of a text, as a description beside a word."""
    return re.split(r"[.;:] |\.$", text, maxsplit=1)[0]


def quoted(text: str) -> str:
    """A text in single quotes, for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def names_below(pages: Iterable[HelpPage]) -> list[str]:
    """The full name of every command but `ldcat` itself."""
    return [page.name for page in pages if " " in page.name]
