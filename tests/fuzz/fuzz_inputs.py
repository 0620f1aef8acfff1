"""Fuzz every input parser with atheris: only the project's own errors may be raised.

    python -m tests.fuzz.fuzz_inputs [TARGET ...] [--seconds N]

atheris never returns, so each target runs in its own process; exit code 1 if one fails.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

MIN_EXECUTIONS = 50
"""With fewer executions a target was not really fuzzed: it can have 20 seeds."""

START_SECONDS = 120
"""Additional time for the start, which makes keys and instruments the code, and for one last slow input."""


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz one target in this process, which ends afterwards."""
    import atheris

    with atheris.instrument_imports(include=["catalog", "tomllib"]):  # before anything else imports them
        importlib.import_module("tomllib")  # msgspec imports it later
        targets = importlib.import_module("tests.fuzz.targets")
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

    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048"]
    limits.append(f"-max_len={max(64, 2 * max(map(len, seeds)))}")
    shown = [f"-artifact_prefix={folder}/crash-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *shown, str(corpus)], once)
    atheris.Fuzz()


def run(name: str, seconds: int) -> bool:
    """Fuzz one target in its own process, and report the result."""
    with tempfile.TemporaryDirectory() as made:
        command = [sys.executable, "-m", "tests.fuzz.fuzz_inputs", name, "--seconds", str(seconds), "--folder", made]
        try:
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds + START_SECONDS,
            )
        except subprocess.TimeoutExpired:
            _say(f"{name}: FAILED, it does not end")
            return False
        runs = re.search(r"stat::number_of_executed_units: *(\d+)", done.stdout)
        executions = int(runs.group(1)) if runs else 0
        crashes = [path.read_bytes() for path in Path(made).glob("crash-*")]
    if done.returncode == 0 and executions > MIN_EXECUTIONS and not crashes:
        _say(f"{name}: {executions} executions, ok")
        return True
    _say(f"{name}: FAILED after {executions} executions, exit code {done.returncode}")
    uncaught = re.search(r"=== Uncaught Python exception.*?\n\n", done.stdout, re.DOTALL)
    _say(uncaught.group() if uncaught else done.stdout[-3000:])
    for crash in crashes:
        _say(f"{name}: input in base64: {base64.b64encode(crash).decode()}")
    return False


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Fuzz the named targets, or all; one process per processor."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz_inputs")
    parser.add_argument("targets", metavar="TARGET", nargs="*")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # this process was started by `run`
    given = parser.parse_args()
    if given.folder:
        fuzz(given.targets[0], given.seconds, given.folder)
    known = importlib.import_module("tests.fuzz.targets").TARGETS
    if unknown := set(given.targets) - set(known):
        parser.error(f"no target {min(unknown)!r}; there are: {', '.join(known)}")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        passed = list(pool.map(partial(run, seconds=given.seconds), given.targets or known))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
