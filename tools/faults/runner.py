"""Commands in children of a process that has loaded everything: each can have one fault, and knows one time."""

from __future__ import annotations

import ctypes
import importlib
import os
import pkgutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import catalog
from catalog.__main__ import main
from catalog.errors import LdcatError
from catalog.terminal import render

NOW = 1_900_000_000
"""Seconds since 1970 of everything that is signed: two runs write the same bytes."""

SECONDS = 120
"""In which a command ends, or hangs."""

Task = Callable[[], int] | Sequence[str]
"""A function that gives an exit code, or the arguments of `ldcat`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """at: number of the call, from 1 on. kind: as FAULTS_KIND of plan.c. stays: later calls fail, too."""

    at: int
    kind: str
    stays: bool = False

    @property
    def kills(self) -> bool:
        """Whether the process does not end by itself."""
        return self.kind in ("before", "after", "power")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was counted. path: below the folder of the run."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """code: exit code, or the negative number of the signal that ended it."""

    code: int
    out: str
    err: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """root: folder in which a command runs. homes: of the user, else in it. aside: for what no fault is to reach."""

    root: Path
    aside: Path
    homes: Path | None = None

    @property
    def home(self) -> Path:
        """What all folders of the user are in."""
        return self.homes or self.root

    @property
    def environment(self) -> Mapping[str, str]:
        """Folders of a user."""
        homes = {f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("STATE", "CACHE", "DATA")}
        return homes | {"HOME": str(self.home), "TMPDIR": str(self.home / "tmp")}


def load_everything() -> None:
    """What a command loads takes longer than the command: children have it all."""
    for module in pkgutil.walk_packages(catalog.__path__, "catalog."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def run(task: Task, place: Place, fault: Fault | None = None, *, later: int = 0) -> Outcome:
    """Run a command where `place` says, so many seconds after NOW, and count its calls."""
    report, error = place.aside / "calls", place.aside / "stderr"
    report.unlink(missing_ok=True)
    out = place.root / "stdout"
    faulty = {"FAULTS_BELOW": str(place.root), "FAULTS_REPORT": str(report)}
    if fault:
        faulty |= {"FAULTS_AT": str(fault.at), "FAULTS_KIND": fault.kind, "FAULTS_STAYS": "1" if fault.stays else ""}
    child = start(task, place, out, error, faulty, now=NOW + later)
    _, status = os.waitpid(child, 0)
    calls = []
    if report.exists():
        for line in report.read_text().splitlines():
            _, name, path = line.split(" ", 2)
            calls.append(Call(name, path))
    return Outcome(os.waitstatus_to_exitcode(status), out.read_text(), error.read_text(), tuple(calls))


def start(
    task: Task,
    place: Place,
    out: Path,
    error: Path,
    environment: Mapping[str, str],
    *,
    now: int = NOW,
    hangs: int = SECONDS,
) -> int:
    """A child that runs a command; its process id. hangs: seconds after which it is ended."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = LdcatError.exit_code
    try:
        for number, path in enumerate((Path(os.devnull), out, error)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
            os.dup2(os.open(path, flags, 0o600), number)
        os.environ.update({**place.environment, **environment})
        os.chdir(place.root)
        tempfile.tempdir = None
        time.time = lambda: float(now)
        time.clock_gettime = lambda _: float(now)
        signal.alarm(hangs)
        ctypes.CDLL(None).faults_arm()
        code = _finished(task)
    finally:
        os._exit(code)


def _finished(task: Task) -> int:
    sys.argv = ["ldcat", *(() if callable(task) else task)]
    if not callable(task):
        main()
    try:
        return task() if callable(task) else 0
    except LdcatError as failure:
        render.error(failure)
        return failure.exit_code
