"""What installs a package that is missing: nothing that is there is taken away for it."""

from __future__ import annotations

from importlib import metadata
from importlib.metadata import PackageNotFoundError

import pytest

from catalog.state.missing_packages import SLIM, how_to_get, missing_package


def _installed(name: str) -> object:
    if name != SLIM:
        raise PackageNotFoundError(name)
    return object()


@pytest.mark.parametrize(("extra", "wanted"), [("full", "ldcat"), ("serve", "'ldcat[serve]'")])
def test_beside_a_slim_install(extra: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert how_to_get(extra) == f"pip install {wanted}"
    monkeypatch.setattr(metadata, "distribution", _installed)
    assert how_to_get(extra) == f"python3 -m venv ldcat-full && ldcat-full/bin/pip install {wanted}"


def test_a_package_of_no_extra_is_a_defect() -> None:
    assert missing_package(ModuleNotFoundError(name="no_such_module"), "ldcat sql") is None
    error = missing_package(ModuleNotFoundError(name="duckdb.functional"), "ldcat sql")
    assert (str(error), error and error.hint) == (
        "ldcat sql needs the package duckdb, which is not installed",
        "pip install ldcat",
    )
