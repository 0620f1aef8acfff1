"""The command `ldcat`: finds and runs a command, and turns every error into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from io import BufferedWriter, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import NoReturn

from catalog.cli.command_modules import command_line
from catalog.errors import LdcatError, OutOfMemory, Unreadable, shortage
from catalog.state.missing_packages import missing_package
from catalog.terminal import interrupts, render
from catalog.terminal.next_step import next_step


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
        result = _result(arguments)
    except LdcatError as failure:
        return _report(failure, arguments)
    except KeyboardInterrupt:
        return _interrupted()
    except OSError as failure:
        short = shortage(failure, str(failure.filename)) if failure.filename else _no_memory(failure)
        return _report(short, arguments) if short else cannot_write(failure)
    except SystemExit:  # typer raises it if a pipe is closed
        return cannot_write(BrokenPipeError())
    except Exception as failure:  # a shortage, or a defect: one line with the place to look at
        if isinstance(failure.__cause__, KeyboardInterrupt):  # Python before 3.12 wraps it while a class is created
            return _interrupted()
        if short := shortage(failure, command_line(arguments)):
            return _report(short, arguments)
        if isinstance(failure, ModuleNotFoundError) and (absent := missing_package(failure, command_line(arguments))):
            return _report(absent, arguments)
        import traceback

        place = traceback.extract_tb(failure.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        render.problem(
            f"internal error: {type(failure).__name__}: {failure} ({where})",
            "this is a defect of ldcat: report it, with what ldcat --version prints",
        )
        return LdcatError.exit_code
    code = result if isinstance(result, int) else 0
    return _interrupted() if code == interrupts.EXIT_CODE else code


def _result(arguments: Sequence[str]) -> object:
    """The result of a command; raises as the command does, but KeyboardInterrupt after an interrupt, whatever a
    library made of it.
    """
    try:
        return _program()(arguments)
    finally:
        interrupts.raise_if_interrupted()


def _program() -> Callable[[Sequence[str]], object]:
    """What parses the command line and runs a command; a slim install has no typer to fall back to."""
    if find_spec("typer"):
        from catalog.cli.program.direct import run_directly

        return run_directly
    from catalog.cli.program.slim import run_slim

    return run_slim


def _report(failure: LdcatError, arguments: Sequence[str]) -> int:
    render.problem(str(failure), next_step(failure, command_line(arguments)))
    return failure.exit_code


def _no_memory(failure: OSError) -> LdcatError | None:
    """OutOfMemory, if that is the cause; a full standard output is reported by `cannot_write`."""
    short = shortage(failure, "ldcat")
    return short if isinstance(short, OutOfMemory) else None


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
