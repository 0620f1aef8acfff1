"""Fixtures of the tests of explain."""

from __future__ import annotations

import pytest


@pytest.fixture
def few_counts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Limits the vCPU counts that are tried: every candidate takes a chain of as many hashes as there are vCPUs."""
    monkeypatch.setattr("catalog.explain.explain.MAX_COUNT", 64)
    return 64
