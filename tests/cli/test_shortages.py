"""Shortages: every command reports a full disk or exhausted memory with its own error, never as an internal one."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from catalog.build.builder import BuildResult
from catalog.cli.program import direct
from catalog.errors import DiskFull, OutOfMemory, shortage
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.published_logs import Place

ROOT = Path(__file__).parents[2]


LDCAT = (sys.executable, "-m", "catalog")


def limited(*command: str | Path, cwd: Path, **limits: int) -> subprocess.CompletedProcess[str]:
    """Runs a command in its own process, under resource limits."""

    def limit() -> None:
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(cwd), "XDG_STATE_HOME": str(cwd / "state")}
    return subprocess.run(
        command, cwd=cwd, env=environment, preexec_fn=limit, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("size", [0, 1 << 12, 1 << 13])
def test_a_database_without_space_is_an_error_and_the_old_one_stays(
    small: BuildResult, program: Path, tmp_path: Path, size: int
) -> None:
    (tmp_path / "old.duckdb").write_bytes(b"an old one")
    for name in ("x.duckdb", "old.duckdb"):
        found = limited(program, "sql", "--catalog", small.folder, "--database", name, cwd=tmp_path, FSIZE=size)
        assert (found.returncode, found.stdout) == (5, "")
        assert found.stderr.startswith(f"ldcat: error: {name}: the file would exceed the largest file size\n")
    assert (tmp_path / "old.duckdb").read_bytes() == b"an old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.duckdb"]


@pytest.mark.parametrize("size", [0, 1 << 9, 1 << 12])
def test_a_build_without_space_is_an_error_and_leaves_nothing(
    small: BuildResult, program: Path, tmp_path: Path, size: int
) -> None:
    command = (program, "build", small.folder.parent / "spec.toml", "-o", "catalog", "-q", "--processes", "1")
    found = limited(*command, cwd=tmp_path, FSIZE=size)
    assert (found.returncode, found.stdout) == (5, ""), found.stderr
    assert "the file would exceed the largest file size" in found.stderr
    assert not [path.name for path in tmp_path.iterdir() if path.name != "state"]


def test_a_publish_without_space_is_an_error_and_publishes_nothing(
    small: BuildResult, program: Path, tmp_path: Path
) -> None:
    assert limited(program, "keygen", "example.com/log", "-o", "key", cwd=tmp_path).returncode == 0
    command = (program, "publish", small.folder, "--log", "log", "--key", "key")
    found = limited(*command, cwd=tmp_path, FSIZE=1 << 12)
    assert found.returncode == 5, found.stderr
    assert "the file would exceed the largest file size" in found.stderr
    assert not (tmp_path / "log/checkpoint").exists()
    assert not list((tmp_path / "log").rglob(".*.partial"))
    assert limited(*command, cwd=tmp_path).returncode == 0


def test_keygen_without_space_leaves_no_key(program: Path, tmp_path: Path) -> None:
    found = limited(program, "keygen", "example.com/log", "-o", "key", cwd=tmp_path, FSIZE=100)
    assert (found.returncode, found.stdout) == (5, "")
    assert found.stderr.startswith("ldcat: error: key: the file would exceed the largest file size\n")
    assert not list(tmp_path.iterdir())


def test_a_full_device_is_not_an_internal_error(small: BuildResult, program: Path) -> None:
    command = [str(program), "lookup", digest_of(small), "--catalog", str(small.folder)]
    for more in ([], ["--format", "json"]):
        with Path("/dev/full").open("wb") as full:
            found = subprocess.run([*command, *more], stdout=full, stderr=subprocess.PIPE, check=False, cwd=ROOT)
        assert (found.returncode, found.stderr) == (5, b"ldcat: error: cannot write: no space left on device\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_state_without_space_is_reported(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("catalog.files.writer.os.fsync", full)
    code, out, err = run("lookup", digest_of(small), *place.options())
    assert (code, out) == (5, "")
    assert "hint: free some space" in err
    assert "defect" not in err


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (MemoryError(), 13),
        (pa.ArrowMemoryError("malloc of size 17 failed"), 13),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 13),
        (OSError(errno.ENOMEM, "Cannot allocate memory", "file"), 13),
        (duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block"), 13),
        (RuntimeError("can't start new thread"), 13),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to offload data block"), 5),
        (duckdb.IOException('IO Error: Could not write file "x": No space left on device'), 5),
        (sqlite3.OperationalError("database or disk is full"), 5),
        (OSError(errno.ENOSPC, "No space left on device", "file"), 5),
        (RuntimeError("another"), 70),
        (duckdb.IOException("another"), 70),
    ],
)
def test_shortages_from_any_library_have_their_own_error(
    run: Run, small: BuildResult, monkeypatch: pytest.MonkeyPatch, failure: Exception, code: int
) -> None:
    def failing(*_: object) -> None:
        raise failure

    monkeypatch.setattr(direct, "parse_line", failing)
    found, out, err = run("lookup", "00")
    assert (found, out, "defect" in err) == (code, "", code == 70)
    if code != 70:
        assert isinstance(shortage(failure, "x"), OutOfMemory if code == 13 else DiskFull)
        assert "hint: " in err


def test_a_query_that_needs_too_much_memory_is_an_error(run: Run, small: BuildResult) -> None:
    query = "SET memory_limit='20MB'"
    assert run("sql", query, "--catalog", str(small.folder))[0] == 2  # the limit cannot be changed by a query
    found = limited(
        *LDCAT,
        "sql",
        "SELECT list(repeat('x', 100000) || range) FROM range(10000000)",
        "--catalog",
        str(small.folder),
        cwd=small.folder.parent,
        AS=1 << 30,
    )
    assert (found.returncode, found.stdout) == (13, ""), found.stderr
    assert "the query: out of memory" in found.stderr


def test_a_system_error_is_a_shortage_only_if_no_memory_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    unexplained = SystemError("error return without exception set")
    assert shortage(unexplained, "x") is None

    def exhausted(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("catalog.errors.mmap.mmap", exhausted)
    assert isinstance(shortage(unexplained, "x"), OutOfMemory)


@pytest.mark.parametrize("command", [("lookup",), ("audit",), ("sql", "FROM configurations")])
def test_exhausted_memory_is_never_an_internal_error(
    small: BuildResult, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Memory is reduced step by step: each time there is an answer or this error."""
    arguments = {
        "lookup": ("lookup", digest_of(small), "--format", "json", "--catalog", str(small.folder)),
        "audit": ("audit", str(small.folder), "-q"),
        "sql": ("sql", "FROM configurations", "--catalog", str(small.folder)),
    }[command[0]]
    codes = set()
    for megabytes in (400, 200, 130, 100, 80):
        found = limited(*LDCAT, *arguments, cwd=tmp_path, AS=megabytes << 20)
        codes.add(found.returncode)
        assert "defect" not in found.stderr, (megabytes, found.stderr)
    assert 70 not in codes
