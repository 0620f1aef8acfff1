"""The command `ldcat`: its commands, and how whatever goes wrong becomes one line and an exit code."""

from __future__ import annotations

import os
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from io import BufferedWriter, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from catalog.abi import sha256
from catalog.cli import commands
from catalog.cli.options import hash_backend
from catalog.errors import LdcatError, OutOfMemory, Unreadable, shortage
from catalog.terminal import interrupts, render
from catalog.version import __version__

_LAST = 1 << 20
"""Place in `ldcat --help` of a command that names none."""


def command_names() -> list[str]:
    """Every command, in the order of names: a module of the folder commands/ each. None is loaded."""
    return [info.name.replace("_", "-") for info in pkgutil.iter_modules(commands.__path__)]


def make_app(names: Iterable[str] | None = None) -> typer.Typer:
    """The program with all commands, or with some: what the others need is not loaded.

    A command's module has a function `command`, or an `app` of its own; HELP_ORDER, if it has that, is its place.
    """
    app = typer.Typer(
        name="ldcat",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 yes (found, equal), 1 no (not found, a batch line in error), 2 usage or a launch that "
        "cannot be, 3 malformed input, 4 verification failed, 5 cannot read or write, 6 signed by nobody who is "
        "trusted, 7 revoked, 8 stale, 9 older than what was seen before, 11 signed, and false by its own log, "
        "12 refused by a witness that saw more, 13 out of memory, 70 internal error.",
    )
    app.callback()(ldcat)
    wanted = command_names() if names is None else names
    modules = {name: import_module(f"{commands.__name__}.{name.replace('-', '_')}") for name in wanted}
    for name, module in sorted(modules.items(), key=lambda item: getattr(item[1], "HELP_ORDER", _LAST)):  # stable
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(module.command)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        render.line(f"ldcat {__version__} (SHA-256 midstates: {sha256.in_use}; {hash_backend()})")
        raise typer.Exit


def ldcat(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version, then exit.")
    ] = False,
) -> None:
    """The catalog of confidential-VM launch digests: AMD SEV, SEV-ES, SEV-SNP.

    Build it, look a digest up in it, measure one configuration, inspect a firmware image or a VMSA page.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    interrupts.hear()
    try:  # everything is written then; Arrow's threads abort a process that takes itself apart around them
        os._exit(_run_and_flush(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        os._exit(_interrupted())


def _run_and_flush(arguments: Sequence[str]) -> int:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever called us
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper) and isinstance(raw := sys.stdout.buffer, RawIOBase):
        # Python is told not to buffer, and then believes that whatever is written is written whole
        sys.stdout = TextIOWrapper(BufferedWriter(raw), sys.stdout.encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # characters the terminal has not are shown by their number
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
    """Run one command line; the exit code is that of the table in errors.py."""
    try:
        result = _finished(make_app(_needed(arguments)), arguments)
    except LdcatError as failure:
        return _said(failure)
    except TyperException as failure:
        message = " ".join(failure.format_message().split()) or "nothing was asked for"
        context = getattr(failure, "ctx", None)  # of errors of usage: which command it was
        asked = context.command_path if context else "ldcat"
        render.problem(message[:1].lower() + message[1:].rstrip("."), f"{asked} --help")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except OSError as failure:
        short = shortage(failure, str(failure.filename)) if failure.filename else _no_memory(failure)
        return _said(short) if short else cannot_write(failure)
    except SystemExit:  # typer's answer to a closed pipe
        return cannot_write(BrokenPipeError())
    except Exception as failure:  # a defect, but for a shortage: said in one line, with the place to look at
        if isinstance(failure.__cause__, KeyboardInterrupt):  # which Python wraps while a class is made, before 3.12
            return _interrupted()
        if short := shortage(failure, _asked(arguments)):
            return _said(short)
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
    """The commands that a command line needs; None: all, to list them or to say which there are."""
    first = arguments[:1]
    return () if list(first) == ["--version"] else first if set(first) & set(command_names()) else None


def _finished(app: typer.Typer, arguments: Sequence[str]) -> object:
    """What a command gives back; raises what it does, but KeyboardInterrupt for whatever a library made of that."""
    try:
        return app(args=list(arguments), prog_name="ldcat", standalone_mode=False)
    finally:
        if interrupts.heard():
            raise KeyboardInterrupt


def _said(failure: LdcatError) -> int:
    render.error(failure)
    return failure.exit_code


def _no_memory(failure: OSError) -> LdcatError | None:
    """Not what standard output has no room for, which is said as everything of that."""
    short = shortage(failure, "ldcat")
    return short if isinstance(short, OutOfMemory) else None


def _asked(arguments: Sequence[str]) -> str:
    return f"ldcat {arguments[0]}" if arguments and arguments[0] in command_names() else "ldcat"


def _interrupted() -> int:
    interrupts.hear_no_more()
    render.problem("interrupted", None)
    return interrupts.EXIT_CODE


def cannot_write(failure: OSError) -> int:
    """The exit code when standard output is full, or its reader has gone: then as a program that SIGPIPE ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(failure, BrokenPipeError):
        return 141
    render.problem(f"cannot write: {(failure.strerror or str(failure)).lower()}", None)
    return Unreadable.exit_code
