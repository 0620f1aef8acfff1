"""Records of a witness: exchanged atomically, never for a smaller size, with concurrent processes and after crashes."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import struct
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from catalog.errors import LdcatError, MalformedInput, Unreadable, UsageError, VerificationFailed
from catalog.publish.witness_store import WitnessStore
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.merkle import leaf_hash
from catalog.transparency.note import Note
from tests.support.logs import LOG, ORIGIN, signed

SEEN = struct.Struct(">Q")


def note(size: int, fork: int = 0, origin: str = ORIGIN) -> Note:
    return signed(str(Checkpoint(origin, size, leaf_hash(b"%d %d" % (size, fork)))), LOG)


def size_of(store: WitnessStore, origin: str = ORIGIN) -> int:
    found = store.latest(origin)
    return Checkpoint.parse(found.text).size if found else 0


@pytest.fixture
def store(tmp_path: Path) -> WitnessStore:
    return WitnessStore.create(tmp_path / "witness.db")


def test_records_persist(store: WitnessStore) -> None:
    assert store.latest(ORIGIN) is None
    assert store.advance(None, note(3))
    assert store.advance(note(3), note(3))
    assert store.advance(note(3), note(2**63 - 1))
    assert store.advance(None, note(5, origin="example.com/other"))
    again = WitnessStore.open(store.path)
    assert again.latest(ORIGIN) == note(2**63 - 1)
    assert again.latest("example.com/other") == note(5, origin="example.com/other")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert list(store.path.parent.iterdir()) == [store.path]


def test_a_record_is_exchanged_only_for_the_current_one(store: WitnessStore) -> None:
    assert not store.advance(note(3), note(4))
    assert store.advance(None, note(3))
    for before in (None, note(2), note(4), note(3, fork=1)):
        assert not store.advance(before, note(5))
    assert store.latest(ORIGIN) == note(3)


def test_the_database_itself_refuses_to_go_back(store: WitnessStore) -> None:
    assert store.advance(None, note(3))
    for after in (note(2), note(3, fork=1)):
        with pytest.raises(VerificationFailed, match="never shrinks"):
            store.advance(note(3), after)
    with sqlite3.connect(store.path) as database, pytest.raises(sqlite3.IntegrityError, match="not forgotten"):
        database.execute("DELETE FROM latest")
    database.close()
    assert store.latest(ORIGIN) == note(3)


STEPS = 60


def climb(path: Path, worker: int) -> list[int]:
    """Sizes that this worker recorded: each step adds one leaf, in its own fork."""
    store, won = WitnessStore.open(path), list[int]()
    while True:
        before = store.latest(ORIGIN)
        size = Checkpoint.parse(before.text).size if before else 0
        if size == STEPS:
            return won
        if store.advance(before, note(size + 1, fork=worker)):
            won.append(size + 1)


@pytest.mark.parametrize("processes", [False, True])
def test_each_size_is_recorded_once(store: WitnessStore, processes: bool) -> None:
    pool = ProcessPoolExecutor(3, get_context("spawn")) if processes else ThreadPoolExecutor(8)
    with pool:
        won = list(pool.map(climb, [store.path] * 8, range(8)))
    assert sorted(size for sizes in won for size in sizes) == list(range(1, STEPS + 1))
    last = next(worker for worker, sizes in enumerate(won) if STEPS in sizes)
    assert store.latest(ORIGIN) == note(STEPS, fork=last)


def test_killed_at_any_time(store: WitnessStore) -> None:
    """kill -9, forty times while it writes: every confirmed record is there, and the next process continues."""
    confirmed = 0
    for number in range(40):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                while True:
                    before = store.latest(ORIGIN)
                    size = Checkpoint.parse(before.text).size if before else 0
                    if store.advance(before, note(size + 1)):
                        os.write(writing, SEEN.pack(size + 1))
            finally:
                os._exit(1)
        os.close(writing)
        first = b"".join(os.read(reading, SEEN.size) for _ in range(1 + number % 4))  # it was working
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        rest = first + os.read(reading, 1 << 16)
        os.close(reading)
        (last,) = SEEN.unpack(rest[-SEEN.size :])
        assert last > confirmed
        confirmed = size_of(WitnessStore.open(store.path))
        assert confirmed in (last, last + 1)  # recorded, and killed before the confirmation
        assert store.latest(ORIGIN) == note(confirmed)
    assert store.advance(note(confirmed), note(confirmed + 1))


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE latest (origin, size, root, note)")
    database.close()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()


def two_minds(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE latest SET note = ?", (bytes(note(4)),))
    database.close()


def no_note(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE latest SET note = x'00'")
    database.close()


def overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        foreign,
        newer,
        two_minds,
        no_note,
        overwritten,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(4080)),
        lambda path: path.write_bytes(b"no database at all\n" * 300),
        lambda path: path.write_bytes(path.read_bytes()[:4096]),
    ],
)
def test_a_foreign_database_is_refused(store: WitnessStore, damage: Callable[[Path], object]) -> None:
    assert store.advance(None, note(3))
    damage(store.path)
    with pytest.raises(MalformedInput, match=str(store.path)) as raised:
        WitnessStore.open(store.path)
    assert "may cosign a fork" in str(raised.value.hint)


def test_a_database_damaged_while_in_use(store: WitnessStore) -> None:
    assert store.advance(None, note(3))
    store.path.write_bytes(b"no database at all\n" * 300)
    for call in (lambda: store.latest(ORIGIN), lambda: store.advance(note(3), note(4))):
        with pytest.raises(LdcatError):
            call()
    store.path.unlink()
    with pytest.raises(Unreadable):
        store.latest(ORIGIN)
    assert not store.path.exists()


def test_a_database_is_created_only_on_request(store: WitnessStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        WitnessStore.create(store.path)
    for path in (tmp_path / "gone.db", tmp_path / "no folder" / "gone.db"):
        with pytest.raises(Unreadable, match="no witness database"):
            WitnessStore.open(path)
        assert not path.exists()
    for path in (tmp_path / "no folder" / "new.db", tmp_path / "witness.db" / "new.db"):
        with pytest.raises(Unreadable):
            WitnessStore.create(path)
    with pytest.raises(Unreadable):
        WitnessStore.open(tmp_path)
    odd = WitnessStore.create(tmp_path / "a ?mode=memory #%41 é.db")
    assert odd.advance(None, note(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == [odd.path.name, "witness.db"]
