"""Programs of other projects that tests start."""

from __future__ import annotations

import os
import shutil

import pytest


def tool(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails under LDCAT_REQUIRE_ORACLES."""
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("LDCAT_REQUIRE_ORACLES") else pytest.skip)(f"{name} is not installed")
    return str(path)
