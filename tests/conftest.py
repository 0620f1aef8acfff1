"""What all tests share: the option --real, and how hypothesis runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.real.shared import SHARED, missing_files
from tests.support.fixtures import default, inputs, small

__all__ = ["default", "inputs", "small"]

REAL = Path(__file__).parent / "real"

os.umask(0o022)  # state that a group can write is not believed, and tests make its folders

settings.register_profile("ldcat", deadline=None, print_blob=True)  # the pure-Python SHA-256 is slow
settings.load_profile("ldcat")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--real", action="store_true", help="also run tests/real, on the firmware and vectors in LDCAT_SHARED"
    )


def pytest_configure(config: pytest.Config) -> None:
    if _real_is_asked_for(config) and (missing := missing_files()):
        raise pytest.UsageError(f"tests/real: not found in {SHARED} (set LDCAT_SHARED): {', '.join(missing)}")


def pytest_report_header(config: pytest.Config) -> str:
    if _real_is_asked_for(config):
        return f"real firmware: part of this run, from {SHARED}"
    return "real firmware: NOT part of this run (give --real)"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests/real out unless it is asked for; None lets pytest decide about everything else."""
    return True if collection_path == REAL and not _real_is_asked_for(config) else None


def _real_is_asked_for(config: pytest.Config) -> bool:
    """By the option, or by a path in tests/real."""
    paths = (Path(argument.split("::")[0]).resolve() for argument in config.args)
    return bool(config.getoption("--real")) or any(path.is_relative_to(REAL) for path in paths)
