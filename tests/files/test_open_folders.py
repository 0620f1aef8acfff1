"""Files in more folders than are kept open at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.files import open_folders
from catalog.log.log_folder import LogFolder


def test_folders_are_closed_when_there_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_folders, "MOST_FOLDERS", 2)
    files = {f"{number % 5}/{number % 7}/{number}": bytes([number]) for number in range(200)}
    LogFolder(tmp_path).write(files.items())
    found = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == files
