"""Full disks: a distinct error for every command, and no incomplete file that looks complete."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from catalog.audit.audit_rows import InputsSeen
from catalog.build.builder import BuildResult
from tests.support.cli import Run
from tests.support.forged_catalogs import forged, one_digest

ROOT = Path(__file__).parent.parent.parent
LDCAT = [sys.executable, "-m", "catalog"]


def ended(folder: Path, room: int, *command: str | Path, unbuffered: bool = False) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that may write this many bytes to each file."""
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    with (folder / "stdout").open("wb") as out:
        done = subprocess.run(
            command,
            env=environment,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        )
    return done.returncode, (folder / "stdout").read_text(), done.stderr


@pytest.mark.parametrize("command", [("audit",), ("diff", "")])
def test_a_full_disk_is_reported_with_its_folder(
    small: BuildResult, program: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    forged(small, tmp_path / "lie", {"sev-snp/launch_digests.parquet": one_digest})  # a right one needs no disk
    code, out, err = ended(tmp_path, 5000, program, command[0], *[str(tmp_path / "lie")] * len(command))
    assert (code, out) == (5, ""), err
    error, hint = err.splitlines()
    assert error.startswith(f"ldcat: error: {tmp_path}/ldcat-")
    assert error.endswith(": the file would exceed the largest file size")
    assert hint.startswith("ldcat: hint: free some space")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lie", "stdout"]


@pytest.mark.parametrize("failure", [duckdb.IOException, duckdb.TransactionException, duckdb.FatalException])
def test_an_io_error_is_not_an_internal_error(
    run: Run, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[duckdb.Error]
) -> None:
    def broken(*_: object) -> None:
        raise failure('IO Error: Could not write file "x": Input/output error\nand more')

    monkeypatch.setattr(InputsSeen, "add", broken)
    forged(small, tmp_path / "lie", {"sev-snp/launch_digests.parquet": one_digest})
    code, out, err = run("audit", str(tmp_path / "lie"), "-q")
    assert (code, out) == (5, "")
    error, hint = err.splitlines()
    assert error.startswith("ldcat: error: ")
    assert error.endswith(': io error: could not write file "x": input/output error')
    assert hint.startswith("ldcat: hint: ")


@pytest.mark.parametrize(
    "room", [1 << 10, 1 << 12, 10_000, 12_289, 1 << 14, 20_000, 1 << 15, 1 << 16, 1 << 18, 1 << 20]
)
def test_a_database_is_complete_or_an_error(small: BuildResult, program: Path, tmp_path: Path, room: int) -> None:
    """DuckDB reports no error that occurs while a database is closed."""
    path = tmp_path / "views.duckdb"
    code, _, err = ended(tmp_path, room, program, "sql", "--catalog", small.folder, "--database", path)
    assert path.exists() == (code == 0), err
    if code:
        assert (code, err.count("ldcat: error: ")) == (5, 1)
    else:
        with duckdb.connect(path, read_only=True) as connection:
            counted = connection.execute("SELECT count(*) FROM launch_digests").fetchall()
        assert counted == [(sum(entry.rows for entry in small.manifest.technologies.values()),)]


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("more", [(), ("--format", "json")])
def test_output_is_complete_or_an_error(
    small: BuildResult, tmp_path: Path, more: tuple[str, ...], unbuffered: bool
) -> None:
    """The system writes as much as fits without an error; unbuffered, Python would take that for all."""
    command = [*LDCAT, "lookup", str(small.example), "--catalog", str(small.folder), *more]
    code, whole, _ = ended(tmp_path, 1 << 20, *command, unbuffered=unbuffered)
    assert (code, len(whole) > 100) == (0, True)
    code, part, err = ended(tmp_path, 100, *command, unbuffered=unbuffered)
    assert part == whole[:100]
    assert code == 5, err
    assert err.startswith("ldcat: error: cannot write: file too large")
