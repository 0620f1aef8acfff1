"""Files of a catalog or a log: only regular files are opened, and nothing else blocks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.errors import Unreadable
from catalog.fast.beneath import Files
from catalog.files.direct_io import ScratchBuffer
from catalog.files.inputs import hash_file, read_beneath, read_file, read_into, read_start


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a pipe"])
def test_other_files_than_regular_ones_are_refused_without_blocking(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe") if kind == "link to a pipe" else (tmp_path / "pipe").rename(path)
    for read in (
        lambda: read_start(path, 1, regular=True),
        lambda: read_file(path, limit=1, regular=True),
        lambda: hash_file(path, regular=True),
        lambda: read_into(Files(tmp_path), "file", ScratchBuffer(), 1),
        lambda: read_beneath(Files(tmp_path), "file", 1),
    ):
        with pytest.raises(Unreadable, match=r"not a regular file|is a directory|is a symbolic link"):
            read()


def test_a_pipe_named_by_the_user_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"firmware")
    os.close(writing)
    assert read_file(Path(f"/dev/fd/{reading}"), limit=8) == b"firmware"
    os.close(reading)
