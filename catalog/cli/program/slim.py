"""The program of a slim install, without typer: the commands that it has, with the same options, answers and help."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from catalog.cli.command_modules import command_module, no_such_command
from catalog.cli.declare.parsed_line import Parameter, is_given, parameters_of, parse_line
from catalog.cli.help_page import EXIT_CODES, HelpPage, page_of
from catalog.cli.help_page import Parameter as Shown
from catalog.cli.help_text import help_text
from catalog.cli.program.version_text import version_line
from catalog.errors import UsageError
from catalog.state.missing_packages import how_to_get
from catalog.terminal import render

SLIM_COMMANDS = ("lookup", "verify-proof")
OTHER_COMMANDS = (
    "audit",
    "build",
    "completion",
    "cosign",
    "diff",
    "doctor",
    "explain",
    "export",
    "import",
    "init",
    "inspect",
    "keygen",
    "list",
    "log-list",
    "measure",
    "monitor",
    "prove",
    "publish",
    "rebuild",
    "relate",
    "report",
    "revoke",
    "serve",
    "site",
    "sql",
    "trust",
    "vmsa",
    "witness",
)
"""Those of ldcat, of which a slim install has no modules."""

_HELP = ("-h", "--help")
_HELP_OPTION = Parameter(
    "help", "option", _HELP, False, False, False, (), bool, {"help": "Show this message and exit."}
)


_OPTIONS = ((("--version",), "Print the version and exit."), (_HELP, "Show this message and exit."))


class Described:
    """A command as help_page.py reads it from a context of typer."""

    def __init__(self, name: str, module: Any) -> None:
        self.command, self.parent, self.command_path = self, None, f"ldcat {name}"
        self.help, self.parameters = module.command.__doc__, parameters_of(module.command)

    def get_params(self, _: object) -> tuple[Parameter, ...]:
        return (*self.parameters, _HELP_OPTION)


def described(name: str) -> Described:
    """A command, for its help page and its command line."""
    return Described(name, command_module(name))


def run_slim(arguments: Sequence[str]) -> object:
    """The result of a command; raises as the command does, and UsageError for a command line that it does not have."""
    name, *rest = arguments or ("",)
    if name == "--version":
        render.line(version_line())
    elif not arguments or name in _HELP:
        sys.stdout.write(help_text(_program().plain()))
        if not arguments:
            raise UsageError("no command is given", "ldcat --help")
    elif name in SLIM_COMMANDS:
        return _run(name, rest)
    elif name.startswith("-"):
        raise UsageError(f"no such option: {name}", "ldcat --help")
    elif name in OTHER_COMMANDS:
        raise UsageError(f"a slim install has no command {name!r}", how_to_get("full"))
    else:
        raise no_such_command("ldcat", name, (*SLIM_COMMANDS, *OTHER_COMMANDS))
    return None


def _run(name: str, arguments: Sequence[str]) -> object:
    command = described(name)
    try:
        if is_given(_HELP_OPTION, command.parameters, arguments):
            sys.stdout.write(help_text(page_of(command).plain()))
            return None
        values = parse_line(command.parameters, arguments)
    except UsageError as error:
        error.hint = error.hint or f"ldcat {name} --help"
        raise
    return command_module(name).command(**values)


def _program() -> HelpPage:
    lines = tuple((name, (command_module(name).command.__doc__ or "").partition("\n")[0]) for name in SLIM_COMMANDS)
    return HelpPage(
        name="ldcat",
        usage="ldcat [OPTIONS] COMMAND ...",
        summary="A catalog of the launch digests of confidential VMs: AMD SEV, SEV-ES and SEV-SNP, and Intel TDX.",
        paragraphs=(
            "This is a slim install: it answers lookups from catalogs, logs and hosts that exist, and verifies proofs. "
            f"All other commands: {how_to_get('full')}",
        ),
        examples=(),
        arguments=(),
        options={"Options": tuple(Shown(names, "", text, (), (), False) for names, text in _OPTIONS)},
        commands={"Commands": lines},
        exit_codes=EXIT_CODES,
    )
