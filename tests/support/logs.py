"""Logs in memory, test keys, and the Merkle tree by the definition of RFC 6962, for tests of transparency."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.errors import MalformedInput, NotThere
from catalog.log.leaves.entries import Entries
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer, VerifierKey, signed_message
from catalog.transparency.note import Note, Signature
from catalog.transparency.tile_writer import File, NewBundles, NewTiles
from catalog.transparency.tiles import TileReader

NOW = 1_800_000_000
DAY = 86400


@cache
def signer(name: str, kind: SignatureType = SignatureType.ED25519, seed: int = 0) -> Signer:
    """A key that is the same in every run."""
    secret = hashlib.sha256(f"{name} {seed}".encode()).digest()
    private: Ed25519PrivateKey | MLDSA44PrivateKey
    if kind is SignatureType.COSIGNATURE_ML_DSA_44:
        private = MLDSA44PrivateKey.from_seed_bytes(secret)
    else:
        private = Ed25519PrivateKey.from_private_bytes(secret)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Signer(VerifierKey(name, kind, public), private.sign)


ORIGIN = "example.com/log"
LOG = signer(ORIGIN)
PQ_LOG = signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)
SIGNERS = [LOG, PQ_LOG]
WITNESS = signer("w.example", SignatureType.COSIGNATURE_ED25519)


def signature(by: Signer, text: str, now: int = NOW) -> Signature:
    return Signature(by.key.name, by.key.key_id, by.sign(text, now))


def at_no_time(by: Signer, text: str) -> Signature:
    """A cosignature without a time, which ldcat's witness never makes."""
    value = by.sign_message(signed_message(by.key.type, by.key.name, text, 0))
    return Signature(by.key.name, by.key.key_id, bytes(8) + value)


def signed(text: str, *signers: Signer, now: int = NOW) -> Note:
    return Note(text, tuple(signature(by, text, now) for by in signers))


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, literally."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return hashlib.sha256(b"\1" + naive_root(leaves[:middle]) + naive_root(leaves[middle:])).digest()


def new_files(size: int, leaves: Iterable[bytes], old: TileReader) -> list[File]:
    """Tiles and bundles of leaves that are added to a log with `size` leaves. old: its tiles."""
    entries, bundles, tiles = Entries.of(leaves), NewBundles(size, old), NewTiles(size, old)
    return [*bundles.add(entries.data, entries.starts), *bundles.last(), *tiles.add(entries.hashes()), *tiles.last()]


class MemoryLog:
    """A log as a dict of paths."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.size = 0

    def read(self, path: str, at_most: int) -> bytes:
        if path not in self.files:
            raise NotThere(path)
        if len(self.files[path]) > at_most:
            raise MalformedInput(path)
        return self.files[path]

    def append(self, entries: Sequence[bytes]) -> None:
        reader = TileReader(self, self.size)
        self.files.update((path, bytes(data)) for path, data in new_files(self.size, entries, reader))
        self.size += len(entries)

    @property
    def reader(self) -> TileReader:
        return TileReader(self, self.size)

    def checkpoint(self, origin: str = ORIGIN) -> Checkpoint:
        return Checkpoint(origin, self.size, merkle.root_hash(self.size, self.reader.node))
