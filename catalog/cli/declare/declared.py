"""How a command declares its arguments and options: as typer takes them, but without importing it.

Both parsers read these declarations: typer's, which also makes the help, and that of a slim install (parsed_line.py).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Annotated, Any, get_args, get_type_hints


class BadValue(ValueError):
    """The text of an option or an argument is not one of its values; the message is for people."""


class Declared:
    """An argument or an option, as it stands in `Annotated`.

    names: of an option, such as `--format` and `-f`.
    settings: those of typer: `help`, `metavar`, `envvar`, `parser`, `hidden`, `show_default`, `rich_help_panel`. A
    parser raises BadValue.
    """

    def __init__(self, *names: str, **settings: Any) -> None:
        self.names = names
        self.settings = settings


class Option(Declared):
    """An option; one without names has that of the parameter."""


class Argument(Declared):
    """An argument: a value by its position."""


def command_for_typer(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same command with typer's declarations, and with parsers that raise typer's error for BadValue."""

    @wraps(command)
    def made(*given: Any, **named: Any) -> Any:
        return command(*given, **named)

    from inspect import signature

    hints = get_type_hints(command, include_extras=True)
    for name, hint in hints.items():
        if hasattr(hint, "__metadata__"):
            kind, *declared = get_args(hint)
            hints[name] = Annotated[(kind, *map(_for_typer, declared))]
    found = signature(command)
    parameters = [one.replace(annotation=hints[name]) for name, one in found.parameters.items()]
    made.__signature__ = found.replace(parameters=parameters)  # type: ignore[attr-defined]
    made.__annotations__ = hints
    return made


def _for_typer(declared: Any) -> Any:
    import typer

    if isinstance(declared, Declared):
        kind = typer.Option if isinstance(declared, Option) else typer.Argument
        declared = kind(*declared.names, **declared.settings)
    parser = getattr(declared, "parser", None)
    if parser and not hasattr(parser, "__wrapped__"):
        declared = copy(declared)
        declared.parser = _parser_for_typer(parser)
    return declared


def _parser_for_typer(parser: Callable[[str], Any]) -> Callable[[str], Any]:
    import typer

    @wraps(parser)
    def parse(text: str) -> Any:
        try:
            return parser(text)
        except BadValue as error:
            raise typer.BadParameter(str(error)) from error

    return parse
