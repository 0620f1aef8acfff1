"""Checkpoints (C2SP tlog-checkpoint): which log, how many leaves, which root; the text of a signed note."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import MalformedInput
from catalog.transparency.encoding import from_base64, from_decimal, is_name, to_base64
from catalog.transparency.merkle import EMPTY_ROOT, HASH_SIZE


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """origin: the log. size: leaves. root: 32 bytes. extensions: further lines, which no witness vouches for."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The text of a note, which somebody has verified or is about to; raises MalformedInput."""
        found = cls.claimed(text)
        if not found.size and found.root != EMPTY_ROOT:
            raise MalformedInput("a checkpoint of no leaves has the root of no leaves")
        return found

    @classmethod
    def claimed(cls, text: str) -> Checkpoint:
        """As `parse`, and of no leaves with whatever root too: a witness says who signed that before it refuses it."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise MalformedInput("a checkpoint has an origin, a size and a root, a line each")
        origin, size, root, *extensions = lines
        if not is_name(origin):
            raise MalformedInput("the origin of a checkpoint is no name of a log")
        return cls(
            origin,
            from_decimal(size, "the size of the checkpoint"),
            from_base64(root, "the root of the checkpoint", HASH_SIZE),
            tuple(extensions),
        )

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions))
