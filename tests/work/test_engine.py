"""The engines of one process do not get in each other's way."""

from __future__ import annotations

import pytest

from catalog.work.engine import local_engine


def _fail() -> None:
    with local_engine(1, threads=False) as engine:
        assert dict(engine.run(abs, [-2])) == {0: 2}
        raise ValueError("broken")


def test_an_error_ends_the_processes_of_its_engine_only() -> None:
    with local_engine(1, threads=False) as other:
        assert dict(other.run(abs, [-1])) == {0: 1}
        with pytest.raises(ValueError, match="broken"):
            _fail()
        assert dict(other.run(abs, [-3])) == {0: 3}
