"""Files that a service serves: those that the log names, and no other file in its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.transparency.tiles import tile_path
from catalog.verify.release_files import is_tile
from tests.support.published_logs import Place, cosigned_today
from tests.support.services import Service, service
from tests.web.conftest import REVOKE

SECRET = b"a secret that is longer than any of the smaller files, so that none of it hides " * 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small: BuildResult) -> Place:
    """A log of two releases whose folder also contains secrets, under names that are requested and behind links."""
    folder = tmp_path_factory.mktemp("served")
    made = cosigned_today(folder, small)
    made.publish(REVOKE)
    (folder / "outside/components").mkdir(parents=True)
    for name in ("file", "manifest.json", "revocations.json", "components/names"):
        (folder / "outside" / name).write_bytes(SECRET)
    return made


@pytest.fixture(scope="module", params=["whole", "as it is read"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, place: Place) -> Iterator[Service]:
    """Once with files read completely, and once with files sent while they are read."""
    size = 1 << 20 if request.param == "whole" else 10
    prelude = f"import catalog.web.served_files as files; files.MAX_WHOLE = {size}"
    home = tmp_path_factory.mktemp("home")
    with service(home, place.log, "--trust", place.trust, prelude=prelude) as found:
        yield found


def leaves(served: Service) -> int:
    return int(served.ask("/checkpoint")[1].split(b"\n")[1])


def test_files_that_the_log_names_are_served(served: Service, place: Place) -> None:
    size = leaves(served)
    names = [f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"]
    for number in (1, 2):
        names += [
            str(path.relative_to(place.log))
            for path in (place.log / f"releases/{number}").rglob("*")
            if path.is_file() and not path.is_symlink()
        ]
    assert len(names) > 30
    for name in names:
        status, body, headers = served.ask(f"/{name}")
        assert (status, body) == (200, (place.log / name).read_bytes()), name
        assert headers["Content-Length"] == str(len(body))
        assert served.ask(f"/{name}", method="HEAD")[:2] == (200, b"")


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "releases/2/key.pem",
        "releases/2/backup.json",
        "releases/2/components/private.key",
        "releases/2/sev-snp/launch_digests.parquet.bak",
        "releases/3/manifest.json",
        "releases/02/manifest.json",
        "tile/0/001",
        "tile/0/x001/000",
        "tile/0/000",
        "tile/0/000.p/255",
        "tile/1/000.p/1",
        "tile/entries/000.p/255",
        "tile/notes",
        "range/2/key.pem",
    ],
)
def test_secrets_in_the_folder_of_a_log_are_not_served(served: Service, place: Place, name: str) -> None:
    path = place.log / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SECRET)
    try:
        status, body, _ = served.ask(f"/{name}")
        assert (status, SECRET in body) == (404, False)
    finally:
        path.unlink()


@pytest.mark.parametrize("name", ["manifest.json", "revocations.json", "components/names", "link.json"])
def test_a_link_to_a_file_is_not_followed(served: Service, place: Place, name: str, tmp_path: Path) -> None:
    path = place.log / "releases/2" / name
    with replaced_by_link(path, tmp_path / "kept", place.log.parent / "outside/file"):
        status, body, _ = served.ask(f"/releases/2/{name}?again")
        assert (status, SECRET in body) == (404, False)


def test_a_link_to_a_tile_is_not_followed(served: Service, place: Place, tmp_path: Path) -> None:
    for kind in ("0", "entries"):
        name = f"tile/{kind}/000.p/{leaves(served)}"
        with replaced_by_link(place.log / name, tmp_path / "kept", place.log.parent / "outside/file"):
            status, body, _ = served.ask(f"/{name}?again")
            assert (status, SECRET in body) == (404, False)


@pytest.mark.parametrize("folder", ["releases/1", "releases/2", "releases", "releases/2/components", "tile/0"])
def test_a_link_to_a_folder_is_not_followed(served: Service, place: Place, folder: str, tmp_path: Path) -> None:
    names = {
        "releases/1": ["manifest.json", "components/names"],
        "releases/2": ["manifest.json", "components/names"],
        "releases": ["2/manifest.json", "2/components/names"],
        "releases/2/components": ["names"],
        "tile/0": [f"000.p/{leaves(served)}"],
    }[folder]
    outside = tmp_path / "outside"
    for name in names:
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_bytes(SECRET)
    with replaced_by_link(place.log / folder, tmp_path / "kept", outside):
        for name in names:
            status, body, _ = served.ask(f"/{folder}/{name}?again")
            assert (status, SECRET in body) == (404, False)


class replaced_by_link:  # noqa: N801 - used like a function
    """Replaces a file or folder by a link for a while."""

    def __init__(self, path: Path, kept: Path, target: Path) -> None:
        self.path, self.kept, self.target = path, kept, target

    def __enter__(self) -> None:
        if os.path.lexists(self.path):
            self.path.rename(self.kept)
        self.path.symlink_to(self.target)

    def __exit__(self, *_: object) -> None:
        self.path.unlink()
        if self.kept.exists():
            self.kept.rename(self.path)


def test_a_download_can_be_resumed(tmp_path: Path, place: Place, small: BuildResult) -> None:
    prelude = "import catalog.web.served_files as files; files.MAX_WHOLE = 10"
    name = "releases/2/components/names"
    whole = (place.log / name).read_bytes()
    with service(tmp_path, place.log, "--trust", place.trust, prelude=prelude) as found:
        _, _, headers = found.ask(f"/{name}")
        size = len(whole)
        for span, at, end in (("5-", 5, size), ("0-0", 0, 1), (f"7-{size + 9}", 7, size)):
            status, body, sent = found.ask(f"/{name}", headers={"Range": f"bytes={span}"})
            assert (status, body, sent["Content-Range"]) == (206, whole[at:end], f"bytes {at}-{end - 1}/{size}")
        for span in ("9-7", "-5", "x", "0-1,3-4"):
            assert found.ask(f"/{name}", headers={"Range": f"bytes={span}"})[:2] == (200, whole)
        status, body, sent = found.ask(f"/{name}", headers={"Range": f"bytes={size}-"})
        assert (status, body, sent["Content-Range"]) == (416, b"", f"bytes */{size}")
        other = {"Range": "bytes=5-", "If-Range": '"other"'}
        assert found.ask(f"/{name}", headers=other)[:2] == (200, whole)
        same = {"Range": "bytes=5-", "If-Range": headers["ETag"]}
        assert found.ask(f"/{name}", headers=same)[:2] == (206, whole[5:])


def test_only_tiles_of_trees_up_to_the_size_are_served() -> None:
    size = 256 * 256 + 300
    for level, number, width in (
        (0, 0, 256),
        (0, 256, 256),
        (0, 257, 44),
        (1, 0, 256),
        (1, 0, 7),
        (1, 1, 1),
        (2, 0, 1),
    ):
        assert is_tile(tile_path(level, number, width), size)
    for level, number, width in ((0, 257, 45), (0, 257, 256), (0, 258, 1), (1, 1, 2), (2, 0, 2), (3, 0, 1), (63, 0, 1)):
        assert not is_tile(tile_path(level, number, width), size)
    assert is_tile(tile_path(None, 257, 44), size)
    assert not is_tile(tile_path(None, 257, 45), size)
    for name in ("tile/00/000", "tile/0/x000/000", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/000.p/07", "tile/0/0"):
        assert not is_tile(name, size)
