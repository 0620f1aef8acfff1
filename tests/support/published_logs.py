"""Published logs: a folder with releases, the keys that sign it, and a trust note with these keys."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from catalog.audit.rebuild import Rebuilt, rebuild
from catalog.build.builder import BuildResult
from catalog.launch.hashing.backends import HashBackend, choose
from catalog.log.log_folder import CHECKPOINT, LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord, Severity
from catalog.publish.publish import Published, publish
from catalog.store.catalog import Catalog
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import Signer
from catalog.transparency.note import Note
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import Trust
from catalog.work.engine import local_engine
from tests.support.logs import DAY, LOG, NOW, SIGNERS, WITNESS, new_files, signature, signed
from tests.support.trust_notes import trust_note


@dataclass
class Publisher:
    """A log, its keys, and the state of the machine that publishes to it."""

    root: Path
    signers: Sequence[Signer] = tuple(SIGNERS)

    @property
    def log(self) -> LogFolder:
        return LogFolder(self.root / "log")

    @property
    def state(self) -> LastCheckpoint:
        return LastCheckpoint(self.root / "publisher" / "signed.note")

    @property
    def note(self) -> Note:
        found = self.log.checkpoint()
        assert found is not None
        return found

    def put(self, note: Note) -> None:
        """Replaces the checkpoint."""
        (self.log.root / CHECKPOINT).write_bytes(bytes(note))

    def publish(
        self, built: BuildResult, *revokes: RevokeRecord, now: int = NOW, trust: Trust | None = None
    ) -> Published:
        catalog = Catalog.open(built.folder)
        return publish(catalog, self.log, self.signers, self.state, revokes=revokes, trust=trust, now=now)

    def checkpoint(self) -> Checkpoint:
        """The published checkpoint, with verified signatures."""
        note, keys = self.note, {by.key for by in self.signers}
        assert {found.key for found in note.verify(list(keys))} == keys
        return Checkpoint.parse(note.text)

    def leaves(self) -> list[bytes]:
        size = self.checkpoint().size
        reader = TileReader(self.log, size)
        return [leaf for number in range(-(-size // 256)) for leaf in reader.entries(number)]


class Place:
    """A log for commands and services, and a trust note. now: the time of its last release.

    witness: cosigns each release, and the trust note requires it.
    """

    def __init__(
        self,
        folder: Path,
        built: BuildResult,
        now: int,
        *,
        signers: Sequence[Signer] = (LOG,),
        witness: Signer | None = None,
    ) -> None:
        self.log, self.trust, self.now = folder / "log", folder / "trust", now
        self._built, self._publisher, self._witness = built, Publisher(folder, signers), witness
        folder.mkdir(parents=True, exist_ok=True)
        policy = "".join(f"log {by.key}\n" for by in signers)
        policy += f"witness w {witness.key}\ngroup all all w\nquorum all\n" if witness else "quorum none\n"
        self.trust.write_bytes(bytes(trust_note(policy, expires=now + 10**7, max_age=DAY)))
        self.publish()

    def copied(self, folder: Path) -> Place:
        """The same log, its trust note and what its publisher remembers, in another folder: quicker than to publish."""
        shutil.copytree(self.log.parent, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
        other = copy(self)
        other.log, other.trust = folder / self.log.name, folder / self.trust.name
        other._publisher = replace(self._publisher, root=folder)
        return other

    def publish(self, *revokes: RevokeRecord, built: BuildResult | None = None, trust: Trust | None = None) -> None:
        self.now += 1
        self._publisher.publish(built or self._built, *revokes, now=self.now, trust=trust)
        if self._witness:
            self.cosign(self._witness)

    def cosign(self, by: Signer = WITNESS) -> None:
        """Cosigns like a witness that has seen the log grow."""
        note = self._publisher.note
        (self.log / "checkpoint.new").write_bytes(bytes(note.with_signatures([signature(by, note.text, self.now)])))
        (self.log / "checkpoint.new").rename(self.log / CHECKPOINT)

    def leaves(self) -> list[bytes]:
        """The leaves of the log."""
        return self._publisher.leaves()

    def options(self) -> tuple[str, ...]:
        """Options that make a command use the log."""
        return ("--catalog", str(self.log), "--trust", str(self.trust))


def cosigned_today(folder: Path, built: BuildResult) -> Place:
    """A log with a release of today under two keys, cosigned by a witness."""
    return Place(folder, built, int(time.time()) - 1000, signers=SIGNERS, witness=WITNESS)


def revoke(severity: Severity, reason: str = "a reason", **selector: Any) -> RevokeRecord:
    return RevokeRecord(type="revoke", selector=selector, severity=severity, reason=reason)


def published_log(built: BuildResult, folder: Path, *revokes: RevokeRecord) -> LogFolder:
    """A log with one release under one key."""
    publisher = Publisher(folder, [LOG])
    publisher.publish(built, *revokes)
    return publisher.log


def rebuilt(publisher: Publisher, backend: HashBackend | None = None) -> Rebuilt:
    """The result of rebuilding the last release."""
    chosen, counted = backend or choose(), list[int]()
    with local_engine(2, threads=True) as engine:
        found = rebuild(
            publisher.log, publisher.checkpoint(), now=NOW + 99, engine=engine, backend=chosen, progress=counted.append
        )
    assert sum(counted) == found.rows
    return found


def write_leaves(publisher: Publisher, leaves: list[bytes]) -> None:
    """Writes other leaves, under a checkpoint signed with the log's own keys."""
    shutil.rmtree(publisher.log.root / "tile")
    reader = TileReader(publisher.log, 0)
    publisher.log.write(new_files(0, leaves, reader))
    root = merkle.root_hash(len(leaves), TileReader(publisher.log, len(leaves)).node)
    checkpoint = Checkpoint(SIGNERS[0].key.name, len(leaves), root)
    (publisher.log.root / CHECKPOINT).write_bytes(bytes(signed(str(checkpoint), *SIGNERS)))
