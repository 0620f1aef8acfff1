"""Shared by all tests: the option --real, the settings of hypothesis, and fixtures of several folders."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from catalog.build import generation
from catalog.build.builder import BuildResult
from catalog.cli import main
from catalog.errors import Unreadable
from catalog.files import file_system, many_files, new_files
from catalog.files.new_files import Data, NewFile
from catalog.net import static_host
from catalog.terminal import render
from tests.real.shared import SHARED, missing_files
from tests.support.catalogs import build, made
from tests.support.cli import Run
from tests.support.forked_ldcat import forked_ldcat
from tests.support.hosts import Host
from tests.support.igvm_files import write_igvm_files
from tests.support.published_logs import Place, Publisher
from tests.support.samples import FEW, ODD, ONLY_SEV, SMALL, UNLIKE, write_inputs, write_spec
from tests.support.td_files import write_td_files

REAL = Path(__file__).parent / "real"

_FSYNC, _SYNCFS = os.fsync, file_system._syncfs

for _name in ("CLICOLOR_FORCE", "FORCE_COLOR"):  # which the host may set: tests read plain text
    os.environ.pop(_name, None)

os.umask(0o022)  # state that a group can write is refused, and tests create its folders

settings.register_profile(  # the pure-Python SHA-256 is slow, and so is any code on a loaded machine
    "ldcat", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("half", settings.get_profile("ldcat"), max_examples=50)  # for `make test`
settings.load_profile("ldcat")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--real", action="store_true", help="also run tests/real, on the firmware and vectors in LDCAT_SHARED"
    )
    parser.addoption(
        "--attacker-steps", type=int, default=1600, help="steps of tests/verify/test_attacker.py (default: %(default)s)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "short_lines: about how long an error is, so it is made shorter")
    config.addinivalue_line("markers", "long: takes ten seconds and more, and is run first: nobody waits for it")
    config.addinivalue_line("markers", "no_cover: without coverage, also where pytest-cov is not loaded")
    config.addinivalue_line("markers", "durable: about what is on the disk after a crash, so files are synced")
    pytest.MonkeyPatch().setattr(os, "fsync", _not_synced)
    pytest.MonkeyPatch().setattr(file_system, "_syncfs", lambda: _not_synced)
    if _real_is_asked_for(config) and (missing := missing_files()):
        raise pytest.UsageError(f"tests/real: not found in {SHARED} (set LDCAT_SHARED): {', '.join(missing)}")


def _not_synced(descriptor: int) -> None:
    """Replaces fsync and syncfs, which would take most of the time of the tests; it fails for what is not open."""
    os.fstat(descriptor)


@pytest.fixture(autouse=True)
def _synced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("durable"):
        monkeypatch.setattr(os, "fsync", _FSYNC)
        monkeypatch.setattr(file_system, "_syncfs", _SYNCFS)


@pytest.fixture(autouse=True)
def _whole_lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are printed whole, because temporary folders have long names; but not for the marker `short_lines`."""
    if not request.node.get_closest_marker("short_lines"):
        monkeypatch.setattr(render, "MAX_LINE", 100_000)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Trace nothing for the mark `no_cover`: pytest-cov resumes another tracer in the workers of xdist."""
    tracer = sys.gettrace()
    if item.get_closest_marker("no_cover"):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """What was collected stays; to look through it at each garbage collection takes a sixth of the time of tests.

    What they make is looked through less often, which takes some more percent.
    """
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def pytest_report_header(config: pytest.Config) -> str:
    if _real_is_asked_for(config):
        return f"real firmware: part of this run, from {SHARED}"
    return "real firmware: NOT part of this run (give --real)"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests/real out unless it is requested; None leaves every other decision to pytest."""
    return True if collection_path == REAL and not _real_is_asked_for(config) else None


def _real_is_asked_for(config: pytest.Config) -> bool:
    """Whether tests/real is requested: by the option, or by a path in it."""
    paths = (Path(argument.split("::")[0]).resolve() for argument in config.args)
    return bool(config.getoption("--real")) or any(path.is_relative_to(REAL) for path in paths)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with the files named in samples.SMALL."""
    return write_inputs(tmp_path / "inputs")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The catalog of samples.SMALL, with its inputs next to it; must not be changed."""
    folder = write_inputs(tmp_path_factory.mktemp("small"))
    return build(write_spec(folder, SMALL), folder / "catalog")


@pytest.fixture(scope="session")
def default(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The embedded default catalog; must not be changed."""
    return build(None, tmp_path_factory.mktemp("default") / "catalog", processes=2)


@pytest.fixture(scope="session")
def fewer(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """Only the SEV rows of the small catalog; must not be changed."""
    return made(tmp_path_factory.mktemp("fewer"), ONLY_SEV)


@pytest.fixture(scope="session")
def parted(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The catalog of samples.SMALL in many parts, row groups and buckets, like a large one; must not be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "ROWS_PER_PART", 8)
        patch.setattr(generation, "_CHUNK", (20, 40))
        folder = write_inputs(tmp_path_factory.mktemp("parted"))
        return build(write_spec(folder, SMALL + UNLIKE), folder / "catalog", processes=2)


@pytest.fixture(scope="session")
def few_kept(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog that keeps only distinguished digests; must not be changed."""
    return made(tmp_path_factory.mktemp("few"), FEW + ODD)


@pytest.fixture(scope="session")
def igvm_files(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog of the launches of IGVM files; they are in the folder inputs beside it."""
    folder = tmp_path_factory.mktemp("igvm")
    return build(write_igvm_files(folder / "inputs"), folder / "catalog")


@pytest.fixture(scope="session")
def tds(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog with launches under TDX; the images are in the folder inputs beside it."""
    folder = tmp_path_factory.mktemp("tds")
    return build(write_td_files(folder / "inputs"), folder / "catalog")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command line on the small catalog; returns exit code, stdout and stderr."""
    monkeypatch.setenv("LDCAT_CATALOG", str(small.folder))

    def run_line(*arguments: str) -> tuple[int, str, str]:
        code = main.run(arguments)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run_line


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The path of a program `ldcat`, for tests that run it in a shell or with limits."""
    with forked_ldcat(tmp_path_factory.mktemp("program"), Path(__file__).parent.parent) as path:
        yield path


@pytest.fixture(scope="session")
def small_log(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A log of the small catalog; must not be changed."""
    return Place(tmp_path_factory.mktemp("small-log"), small, 1_800_000_000)


@pytest.fixture
def publication_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run 100 seconds after the logs of the tests were published, with state of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("LDCAT_CATALOG", raising=False)
    monkeypatch.setattr("time.time", lambda: 1_800_000_100.0)
    monkeypatch.setattr("catalog.fast.plain_lookup.time", lambda: 1_800_000_100.0)


@pytest.fixture
def place(small_log: Place, tmp_path: Path, publication_day: None) -> Place:
    """A log of the small catalog, which may be changed, with commands run on the day of its publication."""
    return small_log.copied(tmp_path)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """A publisher whose log is still empty."""
    return Publisher(tmp_path)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of files that may still be written, in a list of one."""
    left = [1 << 30]
    write_new = new_files.write_new

    def counted(files: Sequence[NewFile], data: Sequence[Data], **options: Any) -> None:
        for file, each in zip(files, data, strict=True):
            left[0] -= 1
            if left[0] < 0:
                raise Unreadable("the disk has gone")
            write_new([file], [each], **options)

    monkeypatch.setattr(many_files, "write_new", counted)
    return left


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """A static host whose answers a test can change, asked again without a pause and with its own cache."""
    monkeypatch.setattr(static_host, "_PAUSES", (0.0, 0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Host()
