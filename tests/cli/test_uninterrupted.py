"""Interrupts while compiled libraries are loaded, or call Python code: nothing is raised there, but soon after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support.cli import AMDSEV
from tests.support.samples import hear_interrupts

ROOT = Path(__file__).parents[2]
SAID = b"ldcat: error: interrupted\n"
MOMENTS = 6

STARTED = """
import _signal, os, sys
_signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"ldcat: error: interrupted\\n"), os._exit(130)))
os.write(1, b".")
script, *sys.argv[1:] = sys.argv[1:]
exec(compile(open(script).read(), script, "exec"), {"__name__": "__main__"})
"""
"""Runs a script and says so, once it is as safe to interrupt it as the script would make it next."""

IN_LIBRARY = """
import _signal, os, sys
library, function, times, script, *sys.argv[1:] = sys.argv[1:]
def interrupt(frame, event, _):
    if library in sys.modules and frame.f_code.co_name == function:
        sys.settrace(None)
        os.write(1, b"interrupted ")
        for _ in range(int(times)):
            _signal.raise_signal(_signal.SIGINT)
program = compile(open(script).read(), script, "exec")
sys.settrace(interrupt)
exec(program, {"__name__": "__main__"})
"""
"""Runs a script and interrupts it as a function is called, once a library begins to be loaded."""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def interrupted_after(seconds: float, *arguments: str) -> tuple[int, bytes, float]:
    """Exit code and errors of a command that is interrupted after that time, and how long it took."""
    command = [sys.executable, "-c", STARTED, str(ROOT / "bin/ldcat"), *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), preexec_fn=hear_interrupts
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == b"."
        began = time.monotonic()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        process.stdout.read()
        return process.wait(), process.stderr.read(), time.monotonic() - began


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql", "FROM firmware"),
        ("lookup", "{digest}", "--format", "csv"),
        ("measure", AMDSEV, "-t", "sev", "-f", "csv"),
    ],
)
def test_a_command_that_is_interrupted_at_any_moment_ends_with_a_line(
    small: BuildResult, arguments: tuple[str, ...]
) -> None:
    """However fast this machine is: a command that has ended before is no fault."""
    named = [part.format(digest=small.example) for part in arguments]
    if named[0] != "measure":
        named += ["--catalog", str(small.folder), "--quiet"]
    code, normal, whole = interrupted_after(60, *named)
    assert code == 0
    for moment in range(MOMENTS):
        code, error, _ = interrupted_after(whole * moment / MOMENTS, *named)
        assert (code, error) in ((130, SAID), (130, normal + SAID), (0, normal)), (moment, whole)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("library", "function"),
    [
        ("duckdb", "_is_private"),
        ("msgspec", "__init__"),
        ("pyarrow", "_find_spec"),
        ("msgspec", "get_class_annotations"),
    ],
)
def test_an_interrupt_while_a_library_is_loaded_or_reads_a_type(
    small: BuildResult, library: str, function: str, times: int
) -> None:
    """Some of them ended Python with a segmentation fault, or were lost. The second interrupt ends it at once."""
    command = [sys.executable, "-c", IN_LIBRARY, library, function, str(times), str(ROOT / "bin/ldcat")]
    done = subprocess.run(
        [*command, "sql", "FROM firmware", "--catalog", str(small.folder)],
        capture_output=True,
        env=environment(),
        preexec_fn=hear_interrupts,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"interrupted ", SAID)
