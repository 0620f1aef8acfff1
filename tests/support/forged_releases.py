"""A lying publisher: signs, with the key of the log, a release record or a list that does not match the leaves."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from typing import Any

import msgspec

from catalog.log.log_folder import CHECKPOINT, LogFolder
from catalog.log.log_history import read_history
from catalog.log.records import ReleaseRecord, RevokeRecord, encode_leaf, parse_row
from catalog.log.release_rules import revocations_json
from catalog.log.revocation_chain import RevocationChain
from catalog.rows.digest_record import DigestRecord
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import Signer
from catalog.transparency.tiles import WIDTH, TileReader
from tests.support.logs import new_files, signed


def next_record(log: LogFolder, now: int, said: Sequence[RevokeRecord] | None = None) -> ReleaseRecord:
    """The record of an honest next release of the same catalog; said: with only these revocations."""
    old = checkpoint_of(log)
    history = read_history(log, old, now=now)
    assert history.release is not None
    listed = history.revokes if said is None else said
    chain = RevocationChain.of(listed)
    return msgspec.structs.replace(
        history.release,
        release=history.release.release + 1,
        time=now,
        previous_size=old.size,
        previous_root=old.root.hex(),
        revocations_sha256=hashlib.sha256(revocations_json(listed)).hexdigest(),
        revocations_count=chain.count,
        revocations_chain=chain.value,
    )


def sign_release(
    log: LogFolder, by: Signer, record: ReleaseRecord, listed: Sequence[RevokeRecord], *leaves: bytes
) -> None:
    """Publish any record after further leaves, with a list of revocations and the files of the previous release."""
    old = checkpoint_of(log)
    last = read_history(log, old, now=record.time).release
    assert last is not None
    folder = log.root / f"releases/{record.release}"
    shutil.copytree(log.root / f"releases/{last.release}", folder)
    (folder / "revocations.json").unlink()  # a hard link to the file of the previous release
    (folder / "revocations.json").write_bytes(revocations_json(listed))
    append(log, by, *leaves, encode_leaf(record))


def append(log: LogFolder, by: Signer, *leaves: bytes) -> None:
    """Append leaves to a log, and publish a checkpoint of them."""
    old = checkpoint_of(log)
    reader = TileReader(log, old.size)
    log.write(new_files(old.size, leaves, reader))
    size = old.size + len(leaves)
    new = Checkpoint(old.origin, size, merkle.root_hash(size, TileReader(log, size).node))
    (log.root / CHECKPOINT).write_bytes(bytes(signed(str(new), by)))


def checkpoint_of(log: LogFolder) -> Checkpoint:
    note = log.checkpoint()
    assert note is not None
    return Checkpoint.parse(note.text)


def altered(record: ReleaseRecord, **changes: Any) -> ReleaseRecord:
    """The record with changed fields."""
    return msgspec.structs.replace(record, **changes)


def leaves_of(log: LogFolder) -> list[bytes]:
    """All leaves of a log."""
    size = checkpoint_of(log).size
    reader = TileReader(log, size)
    return [leaf for number in range(-(-size // WIDTH)) for leaf in reader.entries(number)]


def altered_row(leaf: bytes) -> DigestRecord:
    """A row with other inputs."""
    return msgspec.structs.replace(parse_row(leaf), launch_digest="ab" * 48, vcpus=77)
