"""`make faults`: faults are injected at the right calls, and nowhere else."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.faults.__main__ import planned
from tools.faults.runner import Call

pytestmark = pytest.mark.durable

SOURCES = Path(__file__).parent.parent / "tools/faults"

PROGRAM = """
import os, sys
os.chdir(sys.argv[1])
for name in ("below/file", "elsewhere"):
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT)
    written = os.write(descriptor, b"0123456789")
    os.fsync(descriptor)
    os.close(descriptor)
    print(written)
os.rename("below/file", "below/placed")
"""
CALLS = ["open", "write", "fsync", "close", "rename"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("faults") / "faults.so"
    flags = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")
    subprocess.run([compiler, *flags, "-o", str(made), *map(str, SOURCES.glob("*.c"))], check=True)
    return made


def ended(library: Path, folder: Path, at: int, kind: str) -> tuple[int, list[str], list[str], str]:
    """Exit code, the results of all writes, the counted calls, and stderr."""
    (folder / "below").mkdir()
    settings = {"BELOW": str(folder / "below"), "REPORT": str(folder / "report"), "AT": str(at), "KIND": kind}
    environment = {**os.environ, **{f"FAULTS_{name}": value for name, value in settings.items()}}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=environment | {"LD_PRELOAD": str(library)}, capture_output=True, text=True)
    calls = [line.split()[1].removesuffix("64") for line in (folder / "report").read_text().splitlines()]
    return done.returncode, done.stdout.split(), calls, done.stderr


def test_only_calls_below_a_folder_are_counted(library: Path, tmp_path: Path) -> None:
    assert ended(library, tmp_path, 0, "") == (0, ["10", "10"], CALLS, "")


@pytest.mark.parametrize(
    ("at", "kind", "message"), [(1, "28", "No space left"), (3, "5", "Input/output"), (5, "30", "")]
)
def test_a_call_fails(library: Path, tmp_path: Path, at: int, kind: str, message: str) -> None:
    code, _, calls, err = ended(library, tmp_path, at, kind)
    assert (code, calls) == (1, CALLS[:at])
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "below/placed").exists()


def test_a_short_write(library: Path, tmp_path: Path) -> None:
    assert ended(library, tmp_path, 2, "short")[:2] == (0, ["5", "10"])
    assert (tmp_path / "below/placed").read_bytes() == b"01234"


@pytest.mark.parametrize(
    ("at", "kind", "left"),
    [
        (2, "before", {"file": b""}),
        (2, "after", {"file": b"0123456789"}),
        (3, "power", {"file": b"01234"}),
        (4, "power", {"file": b"0123456789"}),
        (5, "before", {"file": b"0123456789"}),
        (5, "after", {"placed": b"0123456789"}),
    ],
)
def test_a_process_is_killed_at_a_call(
    library: Path, tmp_path: Path, at: int, kind: str, left: dict[str, bytes]
) -> None:
    code, _, calls, _ = ended(library, tmp_path, at, kind)
    assert (code, calls) == (-signal.SIGKILL, CALLS[:at])
    assert {path.name: path.read_bytes() for path in (tmp_path / "below").iterdir()} == left


def test_faults_are_spread_over_all_calls_and_kinds() -> None:
    calls = [Call(name, "") for name in CALLS * 20]
    faults = list(planned(calls, 200, random.Random(1)))
    assert [sum(10 * tenth < fault.at <= 10 * (tenth + 1) for fault in faults) for tenth in range(10)] == [20] * 10
    assert {"before", "after", "power", "short", "5", "28", "122", "13", "30"} == {fault.kind for fault in faults}
    assert all(calls[fault.at - 1].name == "write" for fault in faults if fault.kind == "short")
