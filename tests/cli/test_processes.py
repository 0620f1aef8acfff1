"""The command as a process: entry points, standard input, pipes and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.command_modules import command_names
from tests.support.cli import AMDSEV
from tests.support.samples import ENDLESS, ONE_ROW, bare_image, hear_interrupts, write_spec
from tests.support.waiting import until

ROOT = Path(__file__).parent.parent.parent
LDCAT = [sys.executable, "-m", "catalog"]


def test_a_digest_from_standard_input(small: BuildResult, program: Path) -> None:
    example = small.manifest and small.example
    command = [str(program), "lookup", "-", "--catalog", str(small.folder), "--format", "json"]
    done = subprocess.run(command, input=f"{example}\n", check=True, capture_output=True, text=True, cwd=ROOT)
    assert json.loads(done.stdout)["found"] is True


def test_a_batch_from_standard_input(program: Path) -> None:
    line = json.dumps({"technology": "sev", "firmware": AMDSEV})
    done = subprocess.run(
        [str(program), "measure", "--batch", "-"], input=line, check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert json.loads(done.stdout)["launch_digest"].startswith("3e4fd0b3")


def test_build_catalog_py_is_ldcat_build(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, ONE_ROW)
    command = [sys.executable, "build_catalog.py", str(spec), "-o", str(tmp_path / "made")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == f"{tmp_path / 'made'}\n"
    assert (tmp_path / "made/manifest.json").is_file()


def test_a_closed_pipe(small: BuildResult) -> None:
    command = [*LDCAT, "sql", "FROM configurations", "--catalog", str(small.folder), "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
    assert process.returncode in (0, 141)  # 0 if all of it fitted into the pipe


@pytest.mark.parametrize("backend", ["", "python"])
def test_an_interrupt_is_exit_code_130(tmp_path: Path, backend: str) -> None:
    spec = write_spec(tmp_path, ENDLESS)
    command = [*LDCAT, "build", str(spec), "--output", str(tmp_path / "catalog"), "--processes", "2"]
    environment = {**os.environ, "LDCAT_HASH_BACKEND": backend}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=hear_interrupts,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # "ldcat: N launch digests": it is measuring now
        until((tmp_path / ".catalog.ldcat-partial/sev-snp-spill").exists)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert rest == b"ldcat: error: interrupted\n"
    assert list(tmp_path.iterdir()) == [spec]


def test_colours_are_used_only_on_terminals_that_support_them(small: BuildResult, program: Path) -> None:
    command = [str(program), "sql", "FROM firmware", "--catalog", str(small.folder)]
    environment = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": ""}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, cwd=ROOT)
    assert b"\x1b" not in done.stdout


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*LDCAT, *arguments], env={**os.environ, **environment}, capture_output=True, cwd=ROOT)


def test_a_terminal_without_unicode(small: BuildResult) -> None:
    done = _run("sql", "SELECT 'é' AS e", "-f", "csv", "--catalog", str(small.folder), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, b"e\n\\xe9\n")


def test_a_full_disk_behind_standard_output(program: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [str(program), "measure", AMDSEV, "-t", "sev"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT)
    assert done.returncode == 5
    assert done.stderr == b"ldcat: error: cannot write: no space left on device\n"


def test_an_image_through_a_pipe(program: Path, tmp_path: Path) -> None:
    (tmp_path / "bare.fd").write_bytes(bare_image())
    command = f"cat {tmp_path / 'bare.fd'} | {program} inspect /dev/stdin --format json"
    done = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, cwd=ROOT)
    assert json.loads(done.stdout)["guid_table"] != []


def test_closed_streams_change_no_exit_code(small: BuildResult, tmp_path: Path) -> None:
    lookup = f"{sys.executable} -m catalog lookup {small.example} --catalog {small.folder}"
    for command, code in (
        (f"{lookup} >&-", 0),
        (f"{lookup} 2>&-", 0),
        (f"{sys.executable} -m catalog lookup zz 2>/dev/full", 3),
        (f"{sys.executable} -m catalog lookup zz 2>&-", 3),
        (f"{sys.executable} -m catalog lookup - --catalog {small.folder} <&-", 3),
        (f"{sys.executable} -m catalog measure --batch - <&-", 0),
        (f"{sys.executable} -m catalog --version >&-", 0),
    ):
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, cwd=ROOT)
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False), command


def test_a_command_loads_only_what_it_needs() -> None:
    modules = {path.stem.rstrip("_").replace("_", "-") for path in (ROOT / "catalog/cli/commands").glob("[a-z]*.py")}
    assert modules == set(command_names())
    program = (
        "import sys; from catalog.cli import main; code = main.run(sys.argv[1:]); "
        "heavy = {'pyarrow', 'duckdb', 'jinja2', 'cryptography'} & sys.modules.keys(); "
        "prefix = 'catalog.cli.commands.'; commands = [n.removeprefix(prefix) for n in sys.modules if prefix in n]; "
        "sys.exit(f'{code} {heavy} {commands}')"
    )
    for arguments, loaded in (
        (["measure", "sid/ovmf-amdsev/OVMF.amdsev.fd", "-t", "sev"], ["measure"]),
        (["vmsa", "build", "--help"], ["vmsa"]),
        (["--version"], []),
    ):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=ROOT)
        assert done.stderr == f"0 set() {loaded}\n"
