"""Published vectors of Merkle proofs, and a log of 16 checkpoints with its tiles."""

from __future__ import annotations

import base64
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import LdcatError, NotThere
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import Note
from catalog.transparency.tiles import TileReader, format_bundle, tile_path
from tests.real.shared import SHARED
from tests.support.logs import new_files

MERKLE, LOG = SHARED / "vectors/merkle", SHARED / "vectors/tlog"
SIZES = range(16)


class Folder:
    """A log in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, at_most: int) -> bytes:
        try:
            data = (self.root / path).read_bytes()
        except OSError as error:
            raise NotThere(path) from error
        assert len(data) <= at_most
        return data


def probes(kind: str) -> list[Any]:
    found = sorted((MERKLE / kind).rglob("*.json"))
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in found]


def decoded(value: str | None) -> bytes:
    return base64.b64decode(value or "")


def test_no_vector_is_missing() -> None:
    assert (len(probes("inclusion")), len(probes("consistency"))) == (98, 98)


@pytest.mark.parametrize("path", probes("inclusion"))
def test_inclusion(path: Path) -> None:
    vector = json.loads(path.read_bytes())
    proof = [decoded(value) for value in vector["proof"] or []]
    index, size = vector["leafIdx"], vector["treeSize"]
    check = (decoded(vector["leafHash"]), index, size, proof, decoded(vector["root"]))
    if vector["wantErr"]:
        with pytest.raises(LdcatError):
            merkle.verify_inclusion(*check)
    else:
        merkle.verify_inclusion(*check)


@pytest.mark.parametrize("path", probes("consistency"))
def test_consistency(path: Path) -> None:
    vector = json.loads(path.read_bytes())
    proof = [decoded(value) for value in vector["proof"] or []]
    check = (vector["size1"], vector["size2"], proof, decoded(vector["root1"]), decoded(vector["root2"]))
    if vector["wantErr"]:
        with pytest.raises(LdcatError):
            merkle.verify_consistency(*check)
    else:
        merkle.verify_consistency(*check)


def checkpoint(size: int) -> Checkpoint:
    """A checkpoint of the log, with verified signature."""
    key = VerifierKey.parse((LOG / "public-key.txt").read_text().strip())
    note = Note.parse((LOG / f"checkpoint.{size}").read_bytes())
    assert [verified.key for verified in note.verify([key])] == [key]
    assert bytes(note) == (LOG / f"checkpoint.{size}").read_bytes()
    return Checkpoint.parse(note.text)


@pytest.mark.parametrize("size", SIZES)
def test_every_checkpoint_is_signed_and_has_the_root_of_its_tiles(size: int) -> None:
    found = checkpoint(size)
    reader = TileReader(Folder(LOG), size)
    assert (found.size, found.root) == (size, merkle.root_hash(size, reader.node))
    if size:
        entries = reader.entries(0)
        assert [merkle.leaf_hash(entry) for entry in entries] == [reader.node(0, n) for n in range(size)]
        for index, entry in enumerate(entries):
            proof = merkle.inclusion_proof(index, size, reader.node)
            merkle.verify_inclusion(merkle.leaf_hash(entry), index, size, proof, found.root)


def test_every_pair_is_consistent() -> None:
    for old, new in combinations(SIZES[1:], 2):
        proof = merkle.consistency_proof(old, new, TileReader(Folder(LOG), new).node)
        merkle.verify_consistency(old, new, proof, checkpoint(old).root, checkpoint(new).root)


@pytest.mark.parametrize(("old", "new"), list(combinations(SIZES, 2)))
def test_tiles_and_bundles_are_written_byte_for_byte(old: int, new: int) -> None:
    entries = TileReader(Folder(LOG), 15).entries(0)
    reader = TileReader(Folder(LOG), old)
    written = dict(new_files(old, entries[old:new], reader))
    paths = {tile_path(level, 0, new) for level in (0, None)}
    assert written == {path: (LOG / path).read_bytes() for path in paths}
    assert format_bundle(entries[:new]) == (LOG / tile_path(None, 0, new)).read_bytes()
