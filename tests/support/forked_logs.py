"""A log with two histories that fork at one size, requests to a witness for it, and what may be cosigned."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import Signer
from catalog.transparency.note import Note
from catalog.transparency.witness import AddCheckpoint
from tests.support.logs import LOG, ORIGIN, naive_root, signed

SIZES = 24

FORKED_AT = 7

TREES = [[b"leaf %d of %d" % (n, fork if n >= FORKED_AT else 0) for n in range(SIZES)] for fork in (0, 1)]
"""Two logs that share their first seven leaves."""


@dataclass
class Memory:
    """Records of a witness in a dict."""

    notes: dict[str, Note] = field(default_factory=dict)

    def latest(self, origin: str) -> Note | None:
        return self.notes.get(origin)

    def advance(self, before: Note | None, after: Note) -> bool:
        origin = Checkpoint.parse(after.text).origin
        if self.notes.get(origin) != before:
            return False
        self.notes[origin] = after
        return True


@cache
def root(tree: int, size: int) -> bytes:
    return naive_root(TREES[tree][:size])


@cache
def proof(tree: int, old: int, new: int) -> tuple[bytes, ...]:
    def node(level: int, index: int) -> bytes:
        return naive_root(TREES[tree][index << level : (index + 1) << level])

    return tuple(merkle.consistency_proof(old, new, node))


def checkpoint(size: int, tree: int = 0) -> str:
    return str(Checkpoint(ORIGIN, size, root(tree, size)))


def request(old: int, new: int, tree: int = 0, by: tuple[Signer, ...] = (LOG,)) -> AddCheckpoint:
    return AddCheckpoint(old, proof(tree, old, new) if old <= new else (), signed(checkpoint(new, tree), *by))


def consistent(cosigned: list[tuple[int, bytes]]) -> bool:
    """Whether all of these checkpoints belong to one of the two logs."""
    return any(all(root(tree, size) == made for size, made in cosigned) for tree in (0, 1))
