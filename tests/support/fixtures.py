"""Fixtures of the tests of release: inputs to build from, and catalogs that are built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support import samples


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with the files that samples.SMALL names."""
    return samples.write_inputs(tmp_path / "inputs")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The catalog of samples.SMALL; not to be changed."""
    return samples.small_catalog(tmp_path_factory)


@pytest.fixture(scope="session")
def default(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The catalog of the embedded default; not to be changed."""
    return samples.default_catalog(tmp_path_factory)
