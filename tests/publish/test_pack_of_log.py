"""Packs of a log: one for each checkpoint, with the bytes of its files; the newest ones stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import Unreadable
from catalog.log.file_pack import parse_pack
from catalog.log.log_reader import LogReader
from tests.support.logs import NOW
from tests.support.published_logs import Publisher, revoke


def packs(publisher: Publisher) -> list[int]:
    return sorted(int(path.name) for path in (publisher.log.root / "pack").iterdir())


def newest(publisher: Publisher) -> Path:
    return publisher.log.root / f"pack/{publisher.checkpoint().size}"


def test_a_pack_has_what_a_lookup_reads_besides_rows(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    sizes = [publisher.publish(fewer).checkpoint.size, publisher.publish(small, now=NOW + 1).checkpoint.size]
    assert packs(publisher) == sizes
    files, leaves = parse_pack(newest(publisher).read_bytes())
    reader = LogReader(publisher.log, publisher.checkpoint())
    assert leaves == {index: reader.leaf(index) for index in (sizes[0] - 1, sizes[1] - 2, sizes[1] - 1)}
    assert files == {name: (publisher.log.root / name).read_bytes() for name in files}
    listed = json.loads(files["releases/2/manifest.json"])["files"]
    rows = {name for name in listed if name.endswith(("launch_digests.parquet", "launch_digests.index"))}
    unread = {"components/spec.json", *(f"{name}.merkle" for name in rows if name.endswith("parquet"))}
    assert {name.removeprefix("releases/2/") for name in files if name.startswith("releases/")} == {
        "manifest.json",
        "revocations.json",
        *(set(listed) - rows - unread),
    }
    assert {name.split("/")[0] for name in files} == {"releases", "tile"}
    assert not any(name.startswith("tile/entries") for name in files)


def test_a_pack_has_the_revocations_since_the_release_before(publisher: Publisher, small: BuildResult) -> None:
    size = publisher.publish(small).checkpoint.size
    publisher.publish(small, revoke("revoked", vcpus=3), revoke("deprecated", vcpus=1), now=NOW + 1)
    assert sorted(parse_pack(newest(publisher).read_bytes())[1]) == [size - 1, size, size + 1, size + 2]


def test_the_newest_packs_stay(publisher: Publisher, small: BuildResult) -> None:
    sizes = [publisher.publish(small).checkpoint.size]
    for number in range(1, 10):
        made = publisher.publish(small, revoke("deprecated", f"reason {number}", vcpus=3), now=NOW + number)
        sizes.append(made.checkpoint.size)
        assert packs(publisher) == sizes[-8:]
    (publisher.log.root / "pack/README").touch()
    publisher.publish(small, revoke("restored", vcpus=3), now=NOW + 10)
    assert (publisher.log.root / "pack/README").exists()


def test_a_pack_of_a_checkpoint_that_was_never_published_is_removed(publisher: Publisher, small: BuildResult) -> None:
    size = publisher.publish(small).checkpoint.size
    (publisher.log.root / f"pack/{size + 9}").touch()
    publisher.publish(small, now=NOW + 1)
    assert packs(publisher) == [size]


@pytest.mark.parametrize("damage", [Path.unlink, Path.touch, lambda path: path.write_bytes(b"x" * 9_000_000)])
def test_a_pack_that_is_not_right_is_written_again(publisher: Publisher, small: BuildResult, damage: object) -> None:
    publisher.publish(small)
    before = newest(publisher).read_bytes()
    damage(newest(publisher))  # type: ignore[operator]
    publisher.publish(small, now=NOW + 1)
    assert newest(publisher).read_bytes() == before


def test_nothing_is_published_if_the_pack_cannot_be_written(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, tmp_path: Path
) -> None:
    publisher.publish(fewer)
    before = publisher.note
    (publisher.log.root / "pack").rename(tmp_path / "elsewhere")
    (publisher.log.root / "pack").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreadable, match="symbolic link"):
        publisher.publish(small, now=NOW + 1)
    assert publisher.note == before == publisher.state.read()
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
