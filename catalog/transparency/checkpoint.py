"""Checkpoints (C2SP tlog-checkpoint): origin, tree size and root hash of a log, as the text of a signed note."""

from __future__ import annotations

from catalog.errors import MalformedInput
from catalog.transparency.encoding import from_base64, from_decimal, is_name, to_base64
from catalog.transparency.merkle import EMPTY_ROOT, HASH_SIZE
from catalog.values import Value


class Checkpoint(Value):
    """The state of a log, which the log signs.

    For example:

        example.com/log
        20852163
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    origin: the log's identity, 1-255 bytes.
    size: tree size, the number of leaves.
    root: root hash, 32 bytes; base64 in the text.
    extensions: further lines; a witness does not check their contents.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Parse the text of a note; verifying who signed it is up to the caller. Raises MalformedInput."""
        found = cls.claimed(text)
        if not found.size and found.root != EMPTY_ROOT:
            raise MalformedInput("the root of a checkpoint of size 0 must be the empty-tree hash")
        return found

    @classmethod
    def claimed(cls, text: str) -> Checkpoint:
        """As `parse`, but accepts any root for size 0: a witness first checks who signed it, and then refuses it."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise MalformedInput("the checkpoint is not lines of an origin, a size and a root")
        origin, size, root, *extensions = lines
        if not is_name(origin):
            raise MalformedInput("the origin of the checkpoint is not a valid log name")
        return cls(
            origin,
            from_decimal(size, "the size of the checkpoint"),
            from_base64(root, "the root of the checkpoint", HASH_SIZE),
            tuple(extensions),
        )

    def to_dict(self) -> dict[str, str | int]:
        """For JSON: the root in hex, and in base64 as the text of a checkpoint has it."""
        return {
            "origin": self.origin,
            "size": self.size,
            "root": self.root.hex(),
            "root_base64": to_base64(self.root),
        }

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions))
