"""A log, a service of it and a site of it, which many tests ask and none changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.release.build import Built
from catalog.release.records import RevokeRecord
from tests.web.services import Place, Service, service

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="three is <b>bad</b>")


@pytest.fixture(scope="module")
def published(small: Built, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two releases, the second one of which revokes something."""
    place = Place(tmp_path_factory.mktemp("published"), small)
    place.publish(REVOKE)
    return place


@pytest.fixture(scope="module")
def served(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), published.log, "--trust", published.trust) as found:
        yield found


@pytest.fixture
def place(published: Place, tmp_path: Path, small: Built) -> Place:
    """A log of one's own."""
    del published
    folder = tmp_path / "own"
    folder.mkdir()
    return Place(folder, small)


def need(program: str) -> str:
    """A program of the system, without which a test is left out, unless LDCAT_REQUIRE_ORACLES says that it is there."""
    import os

    found = shutil.which(program)
    if found is None and os.environ.get("LDCAT_REQUIRE_ORACLES"):
        pytest.fail(f"{program} is not installed")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found
