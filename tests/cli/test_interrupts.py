"""Interrupts: Ctrl-C at any moment prints one line and exits with 130; SIGTERM ends a command as shells expect."""

from __future__ import annotations

import ast
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support.cli import AMDSEV
from tests.support.samples import ENDLESS, ONE_ROW, hear_interrupts, write_spec

ROOT = Path(__file__).parents[2]
SAID = b"ldcat: error: interrupted\n"
NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}  # while Arrow is loaded

AT_CALL = """
import _signal, os, sys
at, script, *arguments = sys.argv[1:]
at, calls, ends = {int(one) if one.isdigit() else one for one in at.split(",")}, 0, []
def forked():  # whether this is the new process; the other one waits for its end
    assert len(os.listdir("/proc/self/task")) == 1  # a fork has no other thread
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, 2)
        os.close(writing)
        at.clear()
        ends.clear()
        return True
    os.close(writing)
    said = b"".join(iter(lambda: os.read(reading, 4096), b""))
    os.close(reading)
    ends.append((os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said))
    return False
def interrupt(when):
    at.remove(when)
    if not at and not ends or forked():
        sys.settrace(None)
        _signal.raise_signal(_signal.SIGINT)
    elif not at:
        told(0)
def count(frame, event, _):  # of calls, from the first one that the script makes
    global calls
    calls += 1
    if calls - 1 in at:
        interrupt(calls - 1)
end = os._exit
def told(code):
    sys.settrace(None)
    if "exit" in at:
        os.write(1, b"%d calls" % (calls - 2))  # of the script itself and of this one
        interrupt("exit")
    if ends:
        os.write(2, ascii(ends).encode())
    end(code)
os._exit = told
sys.argv = [script, *arguments]
program = compile(open(script).read(), script, "exec")
sys.settrace(count)
exec(program, {"__name__": "__main__"})
"""
"""Runs a script and interrupts it at the call with this number, or as it exits, and then prints the number of calls.

Of several numbers, with commas, each is a fork that is interrupted: it prints how they ended and what they said, and
ends.
"""


def interrupted_at(call: int | str, script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", AT_CALL, str(call), str(ROOT / script), *arguments]
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", **NO_THREAD},
        capture_output=True,
        preexec_fn=hear_interrupts,
    )


def checked(call: int | str, script: str, *arguments: str) -> bytes:
    """Interrupt a command there: its output."""
    done = interrupted_at(call, script, *arguments)
    assert (done.returncode, done.stderr) == (130, SAID), (call, arguments)
    return done.stdout


def calls_of(script: str, *arguments: str) -> int:
    """The number of calls of a command that is interrupted as it exits."""
    return int(checked("exit", script, *arguments).split()[-2])


def forks_checked(calls: Sequence[int], script: str, *arguments: str) -> bytes:
    """As `checked` for each of the calls, in their order, by one process, which has no other thread: its output."""
    when = [*map(str, calls)]
    done = interrupted_at(",".join(when), script, *arguments)
    ends = ast.literal_eval(done.stderr.decode())
    assert dict(zip(when, ends, strict=True)) == dict.fromkeys(when, (130, SAID)), arguments
    return done.stdout


def some(seed: int, number: int, first: int, last: int) -> list[int]:
    """Calls from the first one to the last one."""
    return sorted(random.Random(seed).sample(range(first, last), number))


@pytest.mark.parametrize("script", ["bin/ldcat", "catalog/__main__.py"])
def test_an_interrupted_plain_lookup_prints_one_line(small: BuildResult, script: str) -> None:
    arguments = ("lookup", str(small.example), "--catalog", str(small.folder), "--quiet")
    total = calls_of(script, *arguments)
    assert total > 500
    forks_checked([1, 2, 3, *some(1, 9, 4, total - 50)], script, *arguments)


@pytest.mark.long
def test_any_other_interrupted_command_prints_one_line(small: BuildResult) -> None:
    commands = (
        ("lookup", str(small.example), "--catalog", str(small.folder), "--format", "json", "--quiet"),
        ("measure", AMDSEV, "-t", "sev"),
        ("sql", "FROM firmware", "--catalog", str(small.folder)),
        ("list", "export-formats"),
    )
    for number, arguments in enumerate(commands):
        total = calls_of("bin/ldcat", *arguments)
        assert total > 5000
        if arguments[0] != "sql":
            forks_checked(some(number, 6, 1, total - 500), "bin/ldcat", *arguments)
            continue
        forks_checked(some(number, 4, 1, total // 3), "bin/ldcat", *arguments)
        (late,) = some(number, 1, total // 3, total - 500)
        checked(late, "bin/ldcat", *arguments)  # DuckDB has threads


def test_an_interrupted_explain_prints_nothing_or_what_it_excluded() -> None:
    expected = json.dumps({"technology": "sev", "firmware": AMDSEV})
    arguments = ("explain", "0" * 64, "--expect", expected, "-f", "json", "-q", "--budget")
    started = calls_of("bin/ldcat", *arguments, "0.001")  # with one batch
    printed = 0
    assert forks_checked(some(3, 4, 1, started // 3), "bin/ldcat", *arguments, "1000") == b""
    for call in (started + 30_000, started + 40_000):  # it has threads now
        if said := checked(call, "bin/ldcat", *arguments, "1000"):
            printed += 1
            assert json.loads(said)["interrupted"]
    assert printed


def test_an_interrupted_build_changes_nothing(tmp_path: Path) -> None:
    spec, out = write_spec(tmp_path, ONE_ROW), tmp_path / "catalog"
    arguments = ("build", str(spec), "--output", str(out), "--quiet", "--processes", "1")
    total = calls_of("bin/ldcat", *arguments)
    before = (out / "manifest.json").read_bytes()
    forks_checked(some(7, 4, 1, total // 3), "bin/ldcat", *arguments)  # before there are new files
    for call in some(7, 4, total // 3, total - 500):
        checked(call, "bin/ldcat", *arguments)
        assert (out / "manifest.json").read_bytes() == before
        assert {path.name for path in tmp_path.iterdir()} <= {"spec.toml", "catalog", ".catalog.ldcat-partial"}


WORKER_AT_CALL = """
import os, signal, sys
if os.environ.get("LDCAT_TEST_PARENT") and os.getpid() != int(os.environ["LDCAT_TEST_PARENT"]):
    calls = 0
    def count(frame, event, _):
        global calls
        calls += 1
        if calls == int(os.environ["LDCAT_TEST_CALL"]):
            sys.settrace(None)
            os.killpg(0, signal.SIGINT)  # as a terminal does
    sys.settrace(count)
else:
    os.environ["LDCAT_TEST_PARENT"] = str(os.getpid())
"""
"""A sitecustomize.py: the workers of a build interrupt the whole build as they start."""


@pytest.mark.parametrize("call", [1, 500, 5000])
def test_an_interrupt_while_workers_start_prints_one_line(tmp_path: Path, call: int) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(WORKER_AT_CALL)
    spec = write_spec(tmp_path, ENDLESS)
    done = subprocess.run(
        [sys.executable, ROOT / "bin/ldcat", "build", spec, "-o", tmp_path / "catalog", "-q", "--processes", "2"],
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}",
            "LDCAT_HASH_BACKEND": "python",
            "LDCAT_TEST_CALL": str(call),
        },
        capture_output=True,
        preexec_fn=hear_interrupts,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (130, SAID)
    assert not (tmp_path / "catalog").exists()


def test_background_commands_of_a_shell_ignore_interrupts() -> None:
    command = [sys.executable, "-c", AT_CALL, "700", str(ROOT / "bin/ldcat"), "measure", AMDSEV, "-t", "sev"]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_sigterm_ends_a_build_as_a_shell_expects(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, ENDLESS)
    out = str(tmp_path / "catalog")
    command = [sys.executable, "-m", "catalog", "build", str(spec), "-o", out, "--processes", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it is measuring now
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == -signal.SIGTERM
    assert rest == b""
    assert not (tmp_path / "catalog").exists()
