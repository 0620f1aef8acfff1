"""What the tests of explain share."""

from __future__ import annotations

import pytest


@pytest.fixture
def few_counts(monkeypatch: pytest.MonkeyPatch) -> int:
    """The most vCPUs that are tried: for every other candidate a chain of hashes is as long as there are vCPUs."""
    monkeypatch.setattr("catalog.explain.explain.MAX_COUNT", 64)
    return 64
