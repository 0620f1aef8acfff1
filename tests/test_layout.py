"""The layout of the house: a room is small, a file name says which one is meant, and no test stands on another one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_FILES = 22


def test_no_room_has_more_files_than_one_can_read_at_a_glance() -> None:
    rooms = Counter(path.parent for path in (ROOT / "catalog").rglob("*.py") if path.name != "__init__.py")
    commands = ROOT / "catalog" / "cli" / "commands"
    assert {str(room): count for room, count in rooms.items() if count > MOST_FILES and room != commands} == {}


def test_no_file_name_is_there_twice_but_a_command_beside_its_room() -> None:
    names = Counter(
        path.name
        for path in (ROOT / "catalog").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "commands"
    )
    assert [name for name, count in names.items() if count > 1] == []
