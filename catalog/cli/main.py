"""The command `ldcat`: finds and runs a command, and turns every error into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import BufferedWriter, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from catalog.abi import sha256
from catalog.cli.command_modules import command_module, command_names
from catalog.cli.help_text import HelpCommand, HelpGroup
from catalog.cli.options import hash_backend
from catalog.errors import LdcatError, OutOfMemory, Unreadable, shortage
from catalog.terminal import interrupts, render
from catalog.version import __version__

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
            app.add_typer(module.app, name=name, cls=HelpGroup)
        else:
            app.command(name, cls=HelpCommand)(module.command)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        render.line(f"ldcat {__version__} (SHA-256 midstates: {sha256.in_use}; {hash_backend()})")
        raise typer.Exit


def ldcat(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A catalog of the launch digests of confidential VMs: AMD SEV, SEV-ES and SEV-SNP.

    Build a catalog, look up digests and attestation reports in it, and publish it as a signed log that others verify.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    interrupts.install_sigint_handler()
    try:  # os._exit, after everything is flushed: Arrow's threads would abort Python's orderly shutdown
        os._exit(_run_and_flush(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        os._exit(_interrupted())


def _run_and_flush(arguments: Sequence[str]) -> int:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the caller closed it
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper) and isinstance(raw := sys.stdout.buffer, RawIOBase):
        # PYTHONUNBUFFERED: Python then takes a partial write for a whole one
        sys.stdout = TextIOWrapper(BufferedWriter(raw), sys.stdout.encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # characters that the encoding lacks are printed as escapes
            stream.reconfigure(errors="backslashreplace")
    code = run(arguments)
    try:
        sys.stdout.flush()
    except OSError as failure:
        code = cannot_write(failure)
    with suppress(OSError):
        sys.stderr.flush()
    return code


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code of the table in errors.py."""
    try:
        result = _finished(make_app(_needed(arguments)), arguments)
    except LdcatError as failure:
        return _report(failure)
    except TyperException as failure:
        message = " ".join(failure.format_message().split()) or "no command is given"
        context = getattr(failure, "ctx", None)  # usage errors have the command here
        command = context.command_path if context else "ldcat"
        render.problem(message[:1].lower() + message[1:].rstrip("."), f"{command} --help")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except OSError as failure:
        short = shortage(failure, str(failure.filename)) if failure.filename else _no_memory(failure)
        return _report(short) if short else cannot_write(failure)
    except SystemExit:  # typer raises it if a pipe is closed
        return cannot_write(BrokenPipeError())
    except Exception as failure:  # a shortage, or a defect: one line with the place to look at
        if isinstance(failure.__cause__, KeyboardInterrupt):  # Python before 3.12 wraps it while a class is created
            return _interrupted()
        if short := shortage(failure, _command_line(arguments)):
            return _report(short)
        place = traceback.extract_tb(failure.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        render.problem(
            f"internal error: {type(failure).__name__}: {failure} ({where})",
            "this is a defect of ldcat; report it",
        )
        return LdcatError.exit_code
    code = result if isinstance(result, int) else 0
    return _interrupted() if code == interrupts.EXIT_CODE else code


def _needed(arguments: Sequence[str]) -> Sequence[str] | None:
    """The commands that a command line needs; None for all, to list them in help and errors."""
    first = arguments[:1]
    return () if list(first) == ["--version"] else first if set(first) & set(command_names()) else None


def _finished(app: typer.Typer, arguments: Sequence[str]) -> object:
    """The result of a command; raises as the command does, but KeyboardInterrupt after an interrupt, whatever a
    library made of it. The object of its context is the command line.
    """
    try:
        return app(args=list(arguments), prog_name="ldcat", standalone_mode=False, obj=tuple(arguments))
    finally:
        if interrupts.was_interrupted():
            raise KeyboardInterrupt


def _report(failure: LdcatError) -> int:
    render.error(failure)
    return failure.exit_code


def _no_memory(failure: OSError) -> LdcatError | None:
    """OutOfMemory, if that is the cause; a full standard output is reported by `cannot_write`."""
    short = shortage(failure, "ldcat")
    return short if isinstance(short, OutOfMemory) else None


def _command_line(arguments: Sequence[str]) -> str:
    return f"ldcat {arguments[0]}" if arguments and arguments[0] in command_names() else "ldcat"


def _interrupted() -> int:
    interrupts.exit_silently_on_sigint()
    render.problem("interrupted", None)
    return interrupts.EXIT_CODE


def cannot_write(failure: OSError) -> int:
    """Report that standard output cannot be written, and return the exit code.

    If its reader has ended, nothing is printed and the code is 141, as for a program that SIGPIPE ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(failure, BrokenPipeError):
        return 141
    render.problem(f"cannot write: {(failure.strerror or str(failure)).lower()}", None)
    return Unreadable.exit_code
