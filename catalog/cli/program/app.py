"""The full program: every command in typer, which parses the command line and prints help."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import typer
import typer.main
from typer.exceptions import TyperException

from catalog.cli.command_modules import command_line, command_module, command_names, no_such_command
from catalog.cli.declare.declared import command_for_typer
from catalog.cli.program.help_commands import HelpCommand, HelpGroup
from catalog.cli.program.old_names import say_old_names, with_new_names
from catalog.cli.program.version_text import version_line
from catalog.errors import UsageError
from catalog.terminal import render

_LAST = 1 << 20
"""Position in `ldcat --help` of a command without HELP_ORDER."""


def make_app(names: Iterable[str] | None = None) -> typer.Typer:
    """The program with the named commands, or with all; modules of other commands are not imported.

    The module of a command has a function `command`, or a Typer `app`. HELP_ORDER, if present, is its position in
    `ldcat --help`.
    """
    app = typer.Typer(
        name="ldcat",
        cls=HelpGroup,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(ldcat)
    wanted = command_names() if names is None else names
    modules = {name: command_module(name) for name in wanted}
    for name, module in sorted(modules.items(), key=lambda item: getattr(item[1], "HELP_ORDER", _LAST)):  # stable
        if hasattr(module, "app"):
            for info in module.app.registered_commands:
                info.cls = HelpCommand
                info.callback = info.callback and command_for_typer(info.callback)
            app.add_typer(module.app, name=name, cls=HelpGroup)
        else:
            app.command(name, cls=HelpCommand)(command_for_typer(module.command))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        render.line(version_line())
        raise typer.Exit


def ldcat(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A catalog of the launch digests of confidential VMs: AMD SEV, SEV-ES and SEV-SNP, and Intel TDX.

    Build a catalog, look up digests and attestation reports in it, and publish it as a signed log that others verify.
    """


def run_in_typer(arguments: Sequence[str]) -> object:
    """The result of a command; raises as the command does, and UsageError for a command line that it does not have.

    The object of its context is the command line.
    """
    arguments, old_names = with_new_names(arguments)
    say_old_names(old_names, arguments)
    try:
        return _parser(_needed(arguments))(
            args=list(arguments), prog_name="ldcat", standalone_mode=False, obj=tuple(arguments)
        )
    except TyperException as failure:
        raise _usage_error(failure, command_line(arguments)) from failure
    except typer.Abort as aborted:
        raise KeyboardInterrupt from aborted


@cache
def _parser(names: tuple[str, ...] | None) -> Any:
    """The parser of `make_app`, made once: that takes longer than to parse a command line."""
    return typer.main.get_command(make_app(names))


def _usage_error(failure: TyperException, command: str) -> UsageError:
    """The error with a command that helps. command: what was called."""
    message = " ".join(failure.format_message().replace("Value error, ", "").split()) or "no command is given"
    if not (unknown := re.match(r"No such command '(.*)'\.", message)):
        return UsageError(message[:1].lower() + message[1:].rstrip("."), _hint_for(message, command))
    known: Any = failure.ctx.command  # type: ignore[attr-defined]
    return no_such_command(command, unknown[1], known.commands)


def _hint_for(message: str, command: str) -> str:
    """The hint of the command's module for an option that it does not have; else where its options are listed."""
    name = command.removeprefix("ldcat ")
    if (option := re.match(r"No such option: (--[a-z-]+)", message)) and name in command_names():
        hints: Mapping[str, str] = getattr(command_module(name), "NOT_OPTIONS", {})
        return hints.get(option[1], f"{command} --help")
    return f"{command} --help"


def _needed(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """The commands that a command line needs; None for all, which help, errors and `completion` list."""
    first = tuple(arguments[:1])
    if first == ("--version",):
        return ()
    return first if set(first) & set(command_names()) and first != ("completion",) else None
