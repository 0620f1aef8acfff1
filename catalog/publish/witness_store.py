"""The records of a witness in an SQLite database: the last checkpoint of each log, replaced atomically by larger ones.

A witness that forgets a checkpoint may cosign a fork. So a database is created once, and explicitly; a missing, damaged
or foreign one is an error; and triggers in the database prevent that a log shrinks or is deleted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import MalformedInput, Unreadable, UsageError, VerificationFailed, shortage
from catalog.fast.beneath import check_private, open_regular
from catalog.files import inputs
from catalog.files.writer import PRIVATE_FILE, beside, put
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note

_APPLICATION = 0x6C646377
"""SQLite's application_id, which tells whose file it is: "ldcw" in ASCII."""

_FORMAT = 1
_BUSY_SECONDS = 10.0
"""Seconds: how long to wait for another thread or process."""

_HINT = "a witness that forgets a checkpoint may cosign a fork: do not restore a backup, start again with new keys"

_SCHEMA = f"""
BEGIN EXCLUSIVE;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE latest (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER a_log_never_shrinks BEFORE UPDATE ON latest
    WHEN NEW.origin <> OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
    BEGIN SELECT RAISE(ABORT, 'a log never shrinks'); END;
CREATE TRIGGER a_log_is_not_forgotten BEFORE DELETE ON latest
    BEGIN SELECT RAISE(ABORT, 'a log is not forgotten'); END;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class WitnessStore:
    """The Records of witness.py, for any number of threads and processes: each call has its own connection."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> WitnessStore:
        """Create a database, whole or not at all. Raises UsageError if the path exists already, Unreadable."""
        try:
            with beside(path) as folder:
                made = folder / "new"
                made.touch(PRIVATE_FILE)
                made.chmod(PRIVATE_FILE)  # whatever the umask
                with closing(_connect(made)) as database:
                    database.executescript(_SCHEMA)
                put(made, path)  # never over a database that is there
        except FileExistsError as error:
            raise UsageError(f"{path} exists already", "start without --create") from error
        except (OSError, sqlite3.Error) as error:
            raise inputs.unreadable(path, error) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> WitnessStore:
        """Open an existing database. Raises Unreadable, MalformedInput for a damaged or foreign one."""
        if not inputs.exists(path):
            raise Unreadable(f"no witness database at {path}", f"for a new witness, --create; {_HINT}")
        inputs.check_regular(path)
        _check_private(path)
        store = cls(path)
        with store._database() as database:
            if _pragma(database, "application_id") != _APPLICATION or _pragma(database, "user_version") != _FORMAT:
                raise MalformedInput(f"{path} is a database of another program, or of another version", _HINT)
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise MalformedInput(f"{path} is damaged", _HINT)
            for (origin,) in database.execute("SELECT origin FROM latest").fetchall():
                store.latest(origin)
        return store

    def latest(self, origin: str) -> Note | None:
        with self._database() as database:
            row = database.execute("SELECT size, root, note FROM latest WHERE origin = ?", (origin,)).fetchone()
        if row is None:
            return None
        size, root, data = row
        try:
            note = Note.parse(data)
            found = Checkpoint.parse(note.text)
        except MalformedInput as error:
            raise MalformedInput(f"{self.path} is damaged: {error}", _HINT) from error
        if (found.origin, found.size, found.root) != (origin, size, root):
            raise MalformedInput(f"{self.path} is damaged: its columns and its note of {origin} differ", _HINT)
        return note

    def advance(self, before: Note | None, after: Note) -> bool:
        new = Checkpoint.parse(after.text)
        values = (new.size, new.root, bytes(after), new.origin)
        with self._database() as database, _transaction(database):
            if before is None:
                insert = "INSERT INTO latest (size, root, note, origin) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
                return database.execute(insert, values).rowcount == 1
            old = Checkpoint.parse(before.text)
            update = "UPDATE latest SET size = ?, root = ?, note = ? WHERE origin = ? AND size = ? AND root = ?"
            return database.execute(update, (*values, old.size, old.root)).rowcount == 1

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(_connect(self.path)) as database:
                yield database
        except sqlite3.IntegrityError as error:
            raise VerificationFailed(f"{self.path}: {error}") from error
        except sqlite3.OperationalError as error:
            raise shortage(error, str(self.path)) or Unreadable(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise MalformedInput(f"{self.path} is not a witness database, or damaged: {error}", _HINT) from error


def _check_private(path: Path) -> None:
    """Raises Unreadable if others can write to the database."""
    try:
        descriptor = open_regular(path)
        try:
            check_private(descriptor, str(path))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise inputs.unreadable(path, error) from error


def _connect(path: Path) -> sqlite3.Connection:
    """A connection with synchronous=EXTRA, which also syncs the folder after a journal is deleted.

    Otherwise a journal that reappears after a crash could undo a commit.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"  # never creates a file
    database = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = EXTRA")
    except sqlite3.Error:
        database.close()
        raise
    return database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    with database:  # commits, or rolls back
        yield


def _pragma(database: sqlite3.Connection, name: str) -> int:
    (value,) = database.execute(f"PRAGMA {name}").fetchone()
    return int(value)
