"""Output files: a write either completes or leaves the old file unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import DiskFull, Unreadable, UsageError
from catalog.files.outputs import write_whole

pytestmark = pytest.mark.durable


def test_a_file_is_written_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("catalog.files.writer.os.fsync", refuse)
    with pytest.raises(DiskFull, match="page: no space is left"):
        write_whole(path, b"three")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_invalid_output_paths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(UsageError, match="link is a symbolic link"):
        write_whole(tmp_path / "link", b"")
    for place in (tmp_path, tmp_path / "nowhere" / "page", Path(), Path("/"), Path("/dev/null"), Path("a\0b")):
        with pytest.raises(Unreadable):
            write_whole(place, b"")
    with pytest.raises(Unreadable):
        write_whole(tmp_path / ("x" * 300), b"")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
