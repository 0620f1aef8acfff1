"""Range files made by a service: the same as those of a site, kept for the next start, and removed if unused."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import Unreadable
from catalog.store.catalog import Catalog
from catalog.store.ranges import INDEX, make_ranges
from catalog.web.release import ranges_made
from catalog.web.release.ranges_made import ranges_for


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which they are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ldcat/ranges"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_range_files_match_those_of_a_site(small: BuildResult, folder: Path, elsewhere: bool) -> None:
    catalog = Catalog.open(small.folder)
    progress: list[int] = []
    with closing(ranges_for(catalog, None if elsewhere else lambda what, rows: progress.append)) as made:
        expected = dict(make_ranges(catalog, lambda _: None))
        assert {name: made.read(name) for name in expected} == expected
    assert (bool(progress), made.index.manifest_sha256) == (not elsewhere, catalog.manifest_sha256)
    assert [path.name for path in folder.iterdir()] == [catalog.manifest_sha256]
    progress.clear()
    ranges_for(catalog, lambda what, rows: progress.append).close()
    assert progress == []


def test_the_oldest_unused_range_files_are_removed(small: BuildResult, folder: Path) -> None:
    catalog = Catalog.open(small.folder)
    made = ranges_for(catalog, lambda what, rows: lambda _: None)
    for number in range(6):
        other = folder / f"{number:064}"
        other.mkdir()
        (other / INDEX).write_bytes(b"{}")
        os.utime(other, (number, number))
    mine = folder / catalog.manifest_sha256
    os.utime(mine, (0, 0))
    (folder / ".partial").mkdir()
    kept = {".partial", *(f"{number:064}" for number in (2, 3, 4, 5))}
    ranges_made._remove_others(folder)
    assert {path.name for path in folder.iterdir()} == {catalog.manifest_sha256, *kept}
    assert made.read(INDEX)
    made.close()
    ranges_made._remove_others(folder)
    assert {path.name for path in folder.iterdir()} == kept


def test_obstacles_are_reported(small: BuildResult, folder: Path) -> None:
    catalog = Catalog.open(small.folder)
    folder.mkdir(parents=True)
    (folder / catalog.manifest_sha256).write_bytes(b"")
    with pytest.raises(Unreadable, match="in the way"):
        ranges_for(catalog, lambda what, rows: lambda _: None)
    assert [path.name for path in folder.iterdir()] == [catalog.manifest_sha256]
