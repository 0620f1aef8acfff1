"""Every command of the program, with its declared options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from catalog.cli.program.app import make_app


def leaves_of(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command without subcommands, by its full name, such as `trust init`."""
    if not (below := getattr(command, "commands", None)):
        yield name, command
        return
    for word, inner in below.items():
        yield from leaves_of(inner, f"{name} {word}".strip())


COMMANDS = dict(leaves_of(typer.main.get_command(make_app())))


def options_of(name: str) -> list[Any]:
    """The options of a command, without its arguments."""
    return [one for one in COMMANDS[name].params if one.param_type_name == "option"]
