"""The fast path of `ldcat lookup`: the same answers as the full path, without loading further modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.main import run
from catalog.fast.plain_lookup import plain_lookup
from tests.support.catalogs import digest_of
from tests.support.samples import ONE_ROW, write_spec

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_CATALOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("more", [[], ["-q"], ["--quiet"]])
@pytest.mark.parametrize("technology", ["sev", "sev-es", "sev-snp"])
def test_it_prints_what_the_full_path_prints(
    small: BuildResult, capsys: pytest.CaptureFixture[str], technology: str, more: list[str]
) -> None:
    hit = digest_of(small, technology)
    for digest in (hit, hit.upper(), "0" * len(hit)):
        arguments = [digest, "--catalog", str(small.folder), *more]
        code = run(["lookup", *arguments])
        printed = capsys.readouterr()
        searched = technology == "sev-snp" and code == 1  # among related digests
        assert plain_lookup(arguments) == (None if searched else (printed.out, printed.err, code))


def test_the_catalog_of_the_environment_and_the_default_one(
    small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_of(small)
    expected = plain_lookup([digest, "--catalog", str(small.folder)])
    monkeypatch.setenv("LDCAT_CATALOG", str(small.folder))
    assert plain_lookup([digest]) == expected
    monkeypatch.setenv("LDCAT_CATALOG", "")
    monkeypatch.setenv("XDG_DATA_HOME", "/nowhere")
    assert plain_lookup([digest]) is None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-"],
        ["--help"],
        ["{}", "--format", "json"],
        ["{}", "{}"],
        ["{}", "--catalog"],
        ["{}", "--catalog", ""],
        ["{}", "--catalog", "-q"],
        ["{}", "--catalogue=x"],
        ["0x{}"],
        ["{}00"],
        ["zz{:.94}"],
        ["  {:.94}"],
    ],
)
def test_other_arguments_take_the_full_path(
    small: BuildResult, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_CATALOG", str(small.folder))
    digest = digest_of(small)
    assert plain_lookup([digest]) is not None
    assert plain_lookup([argument.format(digest) for argument in arguments]) is None


@pytest.mark.parametrize("name", ["LDCAT_FORMAT", "LDCAT_QUIET"])
def test_a_variable_that_changes_the_answer_takes_the_full_path(
    small: BuildResult, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert plain_lookup([digest_of(small), "--catalog", str(small.folder)]) is None


def test_a_damaged_index_takes_the_full_path_which_reports_it(small: BuildResult, tmp_path: Path) -> None:
    shutil.copytree(small.folder, tmp_path / "copy")
    (tmp_path / "copy/sev-snp/launch_digests.index").write_bytes(b"")
    command = [sys.executable, "-m", "catalog", "lookup", digest_of(small), "--catalog", str(tmp_path / "copy")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("match 1 of ")
    assert done.stderr.startswith("ldcat: warning: the index cannot be used, so the Parquet files are read: ")


LOADED = """
import os, sys
before = set(sys.modules)
end, os._exit = os._exit, lambda code: (print(sorted(set(sys.modules) - before)), sys.stdout.flush(), end(code))
from catalog.__main__ import main
main()
"""


def test_it_loads_no_heavy_module(small: BuildResult) -> None:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + LOADED]
    arguments = ["lookup", digest_of(small), "--catalog", str(small.folder)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "catalog.fast.packed" in loaded
    for heavy in (
        "typer",
        "rich",
        "pyarrow",
        "duckdb",
        "msgspec",
        "cffi",
        "hashlib",
        "json",
        "re",
        "typing",
        "pathlib",
    ):
        assert f"'{heavy}'" not in loaded


def test_a_closed_pipe(small: BuildResult) -> None:
    command = [sys.executable, "-m", "catalog", "lookup", digest_of(small), "--catalog", str(small.folder)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_behind_standard_error(small: BuildResult) -> None:
    """The exit code is still that of a digest that is not found."""
    command = [sys.executable, "-m", "catalog", "lookup", "0" * 96, "--catalog", str(small.folder)]
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(command, cwd=ROOT, stderr=full, check=False).returncode == 1


def test_the_script_builds_with_processes_too(tmp_path: Path) -> None:
    """Worker processes load the script again and must not run the command."""
    spec = write_spec(tmp_path, ONE_ROW)
    command = [sys.executable, str(ROOT / "bin/ldcat"), "build", str(spec), "-o", str(tmp_path / "catalog"), "-q"]
    environment = {**os.environ, "LDCAT_HASH_BACKEND": "python", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'catalog'}\n", "")


def test_a_full_disk(small: BuildResult) -> None:
    command = [sys.executable, "-m", "catalog", "lookup", digest_of(small), "--catalog", str(small.folder)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (5, b"ldcat: error: cannot write: no space left on device\n")
