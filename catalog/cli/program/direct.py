"""The full program without typer, where that is enough: typer takes longer to import than most commands take.

What is refused here goes to typer, which says why; so do help, groups of commands, and commands with parameters that
are typer's own. tests/cli/test_two_parsers.py compares both parsers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from catalog.cli.command_modules import command_module, command_names
from catalog.cli.declare.parsed_line import parameters_of, parse_line
from catalog.cli.program.old_names import say_old_names, with_new_names
from catalog.errors import LdcatError


def run_directly(arguments: Sequence[str]) -> object:
    """The result of a command; raises as the command does, and UsageError for a command line that it does not have."""
    renamed, old_names = with_new_names(arguments)
    call = _call_of(renamed)
    if call is None:
        from catalog.cli.program.app import run_in_typer

        return run_in_typer(arguments)
    say_old_names(old_names, renamed)
    return call()


def _call_of(arguments: Sequence[str]) -> Callable[[], object] | None:
    """The call of a command with its values; None if typer has to read the command line."""
    if not arguments or arguments[0] not in command_names():
        return None
    command = getattr(command_module(arguments[0]), "command", None)
    if command is None:  # a group of commands
        return None
    try:
        return partial(command, **parse_line(parameters_of(command), arguments[1:]))
    except (LdcatError, KeyError):
        return None
