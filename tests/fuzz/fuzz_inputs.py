"""Fuzz every input parser with atheris: only the project's own errors may be raised.

    python -m tests.fuzz.fuzz_inputs [TARGET ...] [--seconds N] [--executions N]

atheris never returns, so each target runs in its own process; exit code 1 if one fails. All are forks of one process,
which has made the keys and instrumented the code: that takes as long as many a target is fuzzed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import ctypes
import importlib
import io
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

MIN_EXECUTIONS = 50
"""With fewer executions a target was not really fuzzed: it can have 20 seeds."""

MORE_SECONDS = 120
"""Additional time for making seeds, and for one last slow input."""

OUTPUT = "output"


def instrumented() -> Any:
    """The module of all targets, of which every line counts as covered or not."""
    import atheris

    with (
        contextlib.redirect_stderr(io.StringIO()),  # a line for each module
        atheris.instrument_imports(include=["catalog", "tomllib"]),  # before anything else imports them
    ):
        importlib.import_module("tomllib")  # msgspec imports it later
        return importlib.import_module("tests.fuzz.targets")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a target was fuzzed enough. executions: at most; -1: as many as the seconds allow."""

    seconds: int
    executions: int = -1


def fuzz(targets: Any, name: str, limits: Limits, folder: Path) -> None:
    """Fuzz one target in this process, which ends afterwards."""
    import atheris

    output = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    parse, corpus = targets.TARGETS[name].parse, folder / "corpus"
    corpus.mkdir()
    seeds = targets.TARGETS[name].seeds()
    for number, seed in enumerate(seeds):
        parse(seed)
        (corpus / str(number)).write_bytes(seed)

    def once(data: bytes) -> None:
        try:
            parse(data)
        except targets.LdcatError:
            return

    whole = max(1, limits.seconds - 1)  # it ends once more seconds than that have begun
    options = [f"-max_total_time={whole}", f"-runs={limits.executions}", "-timeout=10", "-rss_limit_mb=2048"]
    options.append(f"-max_len={max(64, 2 * max(map(len, seeds)))}")
    shown = [f"-artifact_prefix={folder}/crash-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *shown, str(corpus)], once)
    try:
        atheris.Fuzz()
    except SystemExit as ended:  # the child of a fork ends without what is left to do, which is to keep the input
        ctypes.CDLL(None).exit(ended.code)


@dataclass(frozen=True, slots=True)
class Run:
    """A target that is fuzzed by a process. folder: for its output and inputs. end: on the monotonic clock."""

    name: str
    process: BaseProcess
    folder: Path
    end: float


def run_all(targets: Any, names: Iterable[str], limits: Limits, made: Path) -> bool:
    """Fuzz targets, as many at a time as there are processors; reports each result. made: an empty folder."""
    waiting, running, passed = list(names), dict[int, Run](), True
    while waiting or running:
        while waiting and len(running) < len(os.sched_getaffinity(0)):
            begun = _begin(targets, waiting.pop(0), limits, made)
            running[begun.process.sentinel] = begun
        left = min(one.end for one in running.values()) - time.monotonic()
        ended = connection.wait(list(running), max(0, left))
        for one in [*running.values()]:
            over = one.process.sentinel in ended
            if over or time.monotonic() > one.end:
                del running[one.process.sentinel]
                if not over:
                    one.process.kill()
                one.process.join()
                passed &= _report(one, over=over)
    return passed


def _begin(targets: Any, name: str, limits: Limits, made: Path) -> Run:
    folder = Path(tempfile.mkdtemp(dir=made))
    process = get_context("fork").Process(target=fuzz, args=(targets, name, limits, folder))
    process.start()
    return Run(name, process, folder, time.monotonic() + limits.seconds + MORE_SECONDS)


def _report(one: Run, *, over: bool) -> bool:
    """Say what became of a target; True if it passed. over: it ended by itself."""
    if not over:
        _say(f"{one.name}: FAILED, it does not end")
        return False
    said = (one.folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", said)
    executions = int(runs.group(1)) if runs else 0
    crashes = [path.read_bytes() for path in one.folder.glob("crash-*")]
    if one.process.exitcode == 0 and executions > MIN_EXECUTIONS and not crashes:
        _say(f"{one.name}: {executions} executions, ok")
        return True
    _say(f"{one.name}: FAILED after {executions} executions, exit code {one.process.exitcode}")
    uncaught = re.search(r"=== Uncaught Python exception.*?\n\n", said, re.DOTALL)
    _say(uncaught.group() if uncaught else said[-3000:])
    for crash in crashes:
        _say(f"{one.name}: input in base64: {base64.b64encode(crash).decode()}")
    return False


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Fuzz the named targets, or all; one process per processor."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz_inputs")
    parser.add_argument("targets", metavar="TARGET", nargs="*")
    parser.add_argument("--seconds", type=int, default=4, help="for each target (default: %(default)s)")
    parser.add_argument("--executions", type=int, default=-1, help="of each target at most (default: no limit)")
    given = parser.parse_args()
    targets = instrumented()
    known = targets.TARGETS
    if unknown := set(given.targets) - set(known):
        parser.error(f"no target {min(unknown)!r}; there are: {', '.join(known)}")
    with tempfile.TemporaryDirectory() as made:
        return 0 if run_all(targets, given.targets or known, Limits(given.seconds, given.executions), Path(made)) else 1


if __name__ == "__main__":
    sys.exit(main())
