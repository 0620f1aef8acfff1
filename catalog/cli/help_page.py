"""What the help of a command says, as data: `ldcat COMMAND --help`, man pages and completion are made from it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from catalog.cli.command_modules import examples_of, exit_codes_of, group_of
from catalog.cli.help_form import Example, Group
from catalog.cli.plain_page import PlainPage

if TYPE_CHECKING:
    from typer._click import Context

OPTIONS = "Options"
"""The title of options that belong to no group."""


class Parameter(NamedTuple):
    """An option or an argument."""

    names: tuple[str, ...]
    """Of an option, the short one first: ("-f", "--format"). Empty for an argument."""
    value: str
    """What is written for the value, such as FILE or table|json; empty for a flag."""
    text: str
    facts: tuple[str, ...]
    """Default, environment variable, and whether it is required."""
    choices: tuple[str, ...]
    """All values that it takes; empty if that is no list."""
    repeats: bool

    def title(self) -> str:
        """Names and value, as help shows them."""
        return " ".join(filter(None, (", ".join(self.names), self.value)))

    def whole_text(self) -> str:
        """The text, then the facts in brackets."""
        return " ".join(filter(None, (self.text, f"[{'; '.join(self.facts)}]" if self.facts else "")))


class HelpPage(NamedTuple):
    """The help of one command."""

    name: str
    """Such as `ldcat trust show`."""
    usage: str
    summary: str
    paragraphs: tuple[str, ...]
    examples: tuple[Example, ...]
    arguments: tuple[Parameter, ...]
    options: Mapping[str, tuple[Parameter, ...]]
    """By the title of their group, in order."""
    commands: Mapping[str, tuple[tuple[str, str], ...]]
    """Name and summary of each, by the title of its group, in order."""
    exit_codes: Mapping[int, str]

    def plain(self) -> PlainPage:
        """What help shows of it; sections without entries are left out."""
        sections: dict[str, list[tuple[str, str]]] = {title: list(lines) for title, lines in self.commands.items()}
        sections["Arguments"] = [(one.value, one.whole_text()) for one in self.arguments]
        sections |= {title: [(one.title(), one.whole_text()) for one in found] for title, found in self.options.items()}
        sections["Exit codes"] = [(str(code), text) for code, text in self.exit_codes.items()]
        return PlainPage(
            name=self.name,
            usage=self.usage,
            paragraphs=(self.summary, *self.paragraphs),
            examples=tuple((example.line, example.what) for example in self.examples),
            sections=tuple((title, tuple(pairs)) for title, pairs in sections.items() if pairs),
        )


class Described(Protocol):
    """What is read of a context; a slim install, which has no typer, makes its own."""

    command: Any
    command_path: str
    parent: Any


def pages_below(command: Any, name: str, parent: Context | None = None) -> Iterator[HelpPage]:
    """The help pages of a command and of all commands below it. command: as `typer.main.get_command` makes it."""
    from typer._click import Context

    context = Context(command, info_name=name, parent=parent, **command.context_settings)
    yield page_of(context)
    for word, below in getattr(command, "commands", {}).items():
        yield from pages_below(below, word, context)


def page_of(context: Context | Described) -> HelpPage:
    """The help page of the command of a context, without what is hidden."""
    command: Any = context.command
    _, *words = context.command_path.split(" ")
    summary, *paragraphs = _paragraphs(command.help or "")
    shown = [one for one in command.get_params(context) if not getattr(one, "hidden", False)]
    arguments = [(one, _parameter(one)) for one in shown if one.param_type_name == "argument"]
    options = [(one, _parameter(one)) for one in shown if one.param_type_name == "option"]
    groups: dict[str, tuple[Parameter, ...]] = {OPTIONS: ()}
    for one, parameter in options:
        title = one.rich_help_panel or OPTIONS
        groups[title] = (*groups.get(title, ()), parameter)
    needed = [f"{parameter.names[-1]} {parameter.value}" for one, parameter in options if one.required]
    places = [parameter.value if one.required else _optional(parameter.value) for one, parameter in arguments]
    below = dict(_commands(context))
    return HelpPage(
        name=context.command_path,
        usage=" ".join([context.command_path, *needed, "[OPTIONS]", *places, *(["COMMAND ..."] if below else [])]),
        summary=summary,
        paragraphs=tuple(paragraphs),
        examples=examples_of(tuple(words)) if words else EXAMPLES,
        arguments=tuple(parameter for _, parameter in arguments),
        options=groups,
        commands=below,
        exit_codes=_exit_codes(tuple(words), has_commands=bool(below)),
    )


EXAMPLES = (
    Example("ldcat measure sid/ovmf-amdsev/OVMF.amdsev.fd -t sev", "Compute the launch digest of a build"),
    Example("ldcat lookup report.bin", "Find the launch that an attestation report is about"),
    Example("ldcat lookup --help", "Show the options, examples and exit codes of a command"),
)

EXIT_CODES = {
    0: "yes: found, equal, done",
    1: "no: not found, different, a batch line in error",
    2: "usage error, or a configuration that cannot launch",
    3: "malformed input",
    4: "verification failed",
    5: "cannot read or write",
    6: "untrusted signer",
    7: "revoked",
    8: "stale",
    9: "older than a checkpoint seen before",
    10: "endorsed or inferred alone",
    11: "signed record that contradicts its own log",
    12: "refused by a witness that saw more",
    13: "out of memory",
    14: "candidates for a prefix",
    15: "in the log, by a proof that does not show whether it is revoked",
    70: "internal error",
    130: "interrupted",
}
"""Of all commands."""
_OF_EVERY_COMMAND = {0: "done", 2: "usage error", 3: "malformed input", 5: "cannot read or write"}
"""Those that every page has; 13, 70 and 130 may come from any command too, and are on the page of `ldcat` alone."""


def _exit_codes(words: tuple[str, ...], *, has_commands: bool) -> Mapping[int, str]:
    if has_commands:
        return {} if words else EXIT_CODES
    return dict(sorted((_OF_EVERY_COMMAND | dict(exit_codes_of(words))).items()))


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a docstring, each on one line."""
    return [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n")]


def _optional(value: str) -> str:
    return value if value.startswith("[") else f"[{value}]"


def _commands(context: Context | Described) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Group by group, the commands below a group of commands; those of a sub-group have no groups."""
    below = getattr(context.command, "commands", {})
    lines = [(name, _paragraphs(one.help or "")[0]) for name, one in below.items() if not one.hidden]
    if context.parent is not None:
        return iter([("Commands", tuple(lines))] if lines else [])
    by_group = ((group, tuple(line for line in lines if group_of(line[0]) is group)) for group in Group)
    return ((str(group), found) for group, found in by_group if found)


def _parameter(one: Any) -> Parameter:
    choices = tuple(_text(choice) for choice in one.type_descriptor.choices or ())
    is_option = one.param_type_name == "option"
    is_flag = is_option and (one.is_flag or one.count)
    longest = max((*one.opts, *getattr(one, "secondary_opts", ())), key=len)
    value = "" if is_flag else one.metavar or "|".join(choices) or longest.lstrip("-").replace("-", "_").upper()
    repeats = one.nargs < 0 or (is_option and one.multiple)
    return Parameter(
        names=tuple(sorted(one.opts, key=len)) if is_option else (),
        value=f"{value}..." if one.nargs < 0 and not value.endswith("...") else value,
        text=" ".join((one.help or "").split()),
        facts=tuple(_facts(one)),
        choices=choices,
        repeats=repeats,
    )


def _facts(one: Any) -> Iterator[str]:
    if one.param_type_name == "option" and one.required:
        yield "required"
    default = one.default
    if one.show_default and not one.required and default not in (None, False, (), []) and not callable(default):
        values = default if isinstance(default, list | tuple) else [default]
        yield f"default: {', '.join(map(_text, values))}"
    if one.envvar:
        yield f"env: {one.envvar if isinstance(one.envvar, str) else ', '.join(one.envvar)}"


def _text(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)
