"""ldcat.toml: read strictly, and only if nobody else can write it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.errors import MalformedRecord, Unreadable
from catalog.state.publisher import MAX_SETTINGS, SETTINGS, Publisher

WHOLE = """\
origin = "example.com/digests"
log = "public"
key = "keys/log.key"
heartbeat = "keys/heartbeat.key"
trust = "trust.note"
"""


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    assert Publisher.find(tmp_path) is None
    assert Publisher.find(tmp_path / "nowhere") is None
    (tmp_path / SETTINGS).write_text(WHOLE)
    assert Publisher.find(tmp_path) == Publisher(
        origin="example.com/digests",
        log=tmp_path / "public",
        key=tmp_path / "keys/log.key",
        trust=tmp_path / "trust.note",
        heartbeat=tmp_path / "keys/heartbeat.key",
        catalog=tmp_path / "catalog",
    )
    (tmp_path / SETTINGS).write_text(WHOLE + 'catalog = "/srv/mine"\n')
    found = Publisher.find(tmp_path)
    assert found is not None
    assert found.catalog == Path("/srv/mine")


@pytest.mark.parametrize("name", ["log", "heartbeat"])
@pytest.mark.parametrize("how", ["absolute", "above", "link"])
def test_private_keys_elsewhere_are_not_used(tmp_path: Path, name: str, how: str) -> None:
    """A folder that somebody sent would otherwise sign its own catalog with the keys of its reader."""
    mine, sent = tmp_path / "mine", tmp_path / "sent"
    mine.mkdir()
    sent.mkdir()
    (mine / "own.key").write_text("")
    (sent / "link").symlink_to(mine)
    path = {"absolute": f"{mine}/own.key", "above": "../mine/own.key", "link": "link/own.key"}[how]
    (sent / SETTINGS).write_text(WHOLE.replace(f"keys/{name}.key", path))
    with pytest.raises(MalformedRecord, match=r"own\.key is not in the folder of ldcat\.toml"):
        Publisher.find(sent)


def test_it_is_found_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Publisher.find() is None
    Path(SETTINGS).write_text(WHOLE.replace("heartbeat", "#"))
    found = Publisher.find()
    assert found is not None
    assert (found.log, found.heartbeat) == (Path("public"), None)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "missing required field `origin`"),
        (WHOLE + 'keys = "x"\n', "unknown field `keys`"),
        (WHOLE.replace('"public"', "1"), "$.log"),
        (WHOLE.replace('"public"', '""'), "$.log"),
        (WHOLE.replace("public", "a\\u0000"), "a path contains a NUL"),
        (WHOLE.replace("example.com/digests", "a b"), "'a b' is not the origin of a log"),
        (WHOLE + 'log = "again"\n', "overwrite"),
        (WHOLE + "#" * MAX_SETTINGS, f"more than {MAX_SETTINGS} bytes"),
        ("\udc80", "not UTF-8"),
        ("a = " + "[" * 9999, SETTINGS),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / SETTINGS).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(MalformedRecord) as error:
        Publisher.find(tmp_path)
    assert part in str(error.value)
    assert error.value.hint is not None
    assert "its keys are origin, log, key" in error.value.hint


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / SETTINGS).write_text(WHOLE)
    (tmp_path / SETTINGS).chmod(mode)
    with pytest.raises(Unreadable, match="is not used: others can write it") as error:
        Publisher.find(tmp_path)
    assert error.value.hint == (
        f"check what is in it, then: chmod go-w {tmp_path / SETTINGS}; chown it if it is not yours"
    )


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SETTINGS).write_text(WHOLE)
    owner = (tmp_path / SETTINGS).stat().st_uid or 1
    os.chown(tmp_path / SETTINGS, owner, -1)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(Unreadable, match=f"is not used: belongs to user {owner}"):
        Publisher.find(tmp_path)


def test_neither_a_link_nor_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "other").write_text(WHOLE)
    (tmp_path / SETTINGS).symlink_to("other")
    with pytest.raises(Unreadable, match="symbolic link"):
        Publisher.find(tmp_path)
    (tmp_path / SETTINGS).unlink()
    (tmp_path / SETTINGS).mkdir()
    with pytest.raises(Unreadable, match="not a regular file"):
        Publisher.find(tmp_path)
