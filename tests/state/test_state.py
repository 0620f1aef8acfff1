"""State of the user: modes 0700 and 0600 for every umask; state that others can write is not used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import Unreadable
from catalog.fast.plain_lookup import plain_lookup
from catalog.publish.witness_store import WitnessStore
from catalog.state.receipts import Receipts
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.published_logs import Place

BELIEVED = ("", "seen", "verified", "seen/*.note", "verified/*")


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_state_of_a_lookup_is_private_to_the_user(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        for _ in range(2):
            assert run("lookup", digest_of(small), *place.options())[0] == 0
    finally:
        os.umask(before)
    state = tmp_path / "state/ldcat"
    for path in (state, *state.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert plain_lookup([digest_of(small), *place.options()]) is not None


@pytest.mark.parametrize("mode", [0o020, 0o002])
@pytest.mark.parametrize("name", BELIEVED)
def test_a_lookup_does_not_use_state_that_others_can_write(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, name: str, mode: int
) -> None:
    arguments = (digest_of(small), *place.options())
    assert run("lookup", *arguments)[0] == 0
    state = tmp_path / "state/ldcat"
    (path,) = state.glob(name) if name else (state,)
    path.chmod(path.stat().st_mode | mode)
    assert plain_lookup(list(arguments)) is None
    code, out, err = run("lookup", *arguments)
    assert (code, out) == (5, "")
    assert f"ldcat: error: {path} is part of ldcat's state and is not trusted: others can write it\n" in err
    assert f"chmod go-w {path}\n" in err
    path.chmod(path.stat().st_mode & ~mode)
    assert plain_lookup(list(arguments)) is not None


@pytest.mark.parametrize("name", BELIEVED)
def test_a_lookup_does_not_use_state_of_another_user(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where tests cannot change the owner of a file, the user id of the process is patched instead."""
    arguments = (digest_of(small), *place.options())
    assert run("lookup", *arguments)[0] == 0
    state = tmp_path / "state/ldcat"
    (path,) = state.glob(name) if name else (state,)
    if os.getuid() == 0:
        os.chown(path, 4_000_000, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
        path = state
    assert plain_lookup(list(arguments)) is None
    code, out, err = run("lookup", *arguments)
    assert (code, out) == (5, "")
    assert f"{path} is part of ldcat's state and is not trusted: belongs to user " in err


@pytest.mark.parametrize("name", ["seen", "verified"])
def test_state_is_not_read_or_written_through_a_link(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, name: str
) -> None:
    arguments = (digest_of(small), *place.options())
    assert run("lookup", *arguments)[0] == 0
    folder = tmp_path / "state/ldcat" / name
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()}
    assert plain_lookup(list(arguments)) is None
    code, _, err = run("lookup", *arguments)
    if name == "seen":
        assert (code, f"{folder} is a symbolic link" in err) == (5, True)
    assert {path: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == before


def test_a_receipt_that_others_could_write_is_not_used(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path / "ldcat/built")
    receipts.keep("ab" * 32)
    assert receipts.know("ab" * 32)
    (tmp_path / "ldcat/built").chmod(0o777)
    with pytest.raises(Unreadable, match="not trusted"):
        receipts.know("ab" * 32)
    receipts.keep("cd" * 32)
    assert [path.name for path in (tmp_path / "ldcat/built").iterdir()] == ["ab" * 32]


def test_the_database_of_a_witness_is_private_to_the_user(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = WitnessStore.create(tmp_path / "w.db")
    finally:
        os.umask(before)
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["w.db"]
    WitnessStore.open(store.path)
    store.path.chmod(0o660)
    with pytest.raises(Unreadable, match="not trusted: others can write it"):
        WitnessStore.open(store.path)
