"""Self-contained proofs (C2SP tlog-proof, a draft): a leaf's place in a tree, and the signed checkpoint of the tree."""

from __future__ import annotations

from catalog.errors import MalformedInput
from catalog.transparency.encoding import from_base64, from_decimal, to_base64
from catalog.transparency.merkle import HASH_SIZE, MAX_PROOF
from catalog.transparency.note import MAX_NOTE, Note
from catalog.values import Value

HEADER = "c2sp.org/tlog-proof@v1"
MAX_TEXT = 2 * MAX_NOTE


class InclusionProof(Value):
    """What a tlog-proof says before its checkpoint: its lines up to the blank one.

    index: of the leaf.
    hashes: its inclusion proof, from its sibling to the child of the root.
    extra: further bytes, which the format does not authenticate; None if there are none.
    """

    index: int
    hashes: tuple[bytes, ...]
    extra: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> InclusionProof:
        """Parse the lines, each with its newline. Raises MalformedInput for any deviation from the format."""
        try:
            first, *lines = data.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise MalformedInput("the proof is not ASCII before its checkpoint") from error
        if first != HEADER:
            raise MalformedInput(f"the first line of the proof is not {HEADER}")
        if not lines or lines.pop():
            raise MalformedInput("the last line of the proof does not end with a newline")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = from_base64(lines.pop(0).removeprefix("extra "), "the extra data of the proof")
        if not lines or not lines[0].startswith("index "):
            raise MalformedInput("the proof has no index line")
        index = from_decimal(lines.pop(0).removeprefix("index "), "the index of the proof")
        if len(lines) > MAX_PROOF:
            raise MalformedInput(f"the proof has more than {MAX_PROOF} hashes")
        hashes = tuple(from_base64(line, "a hash of the proof", HASH_SIZE) for line in lines)
        return cls(index, hashes, extra)

    def __bytes__(self) -> bytes:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {to_base64(self.extra)}")
        lines += [f"index {self.index}", *map(to_base64, self.hashes)]
        return "".join(f"{line}\n" for line in lines).encode("ascii")


class TlogProof(Value):
    """A tlog-proof.

    inclusion: the proof of one leaf.
    checkpoint: the signed checkpoint, unverified.
    """

    inclusion: InclusionProof
    checkpoint: Note

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Parse a tlog-proof. Raises MalformedInput for any deviation from the format."""
        if len(data) > MAX_TEXT:
            raise MalformedInput(f"the proof has more than {MAX_TEXT} bytes")
        head, blank, note = data.partition(b"\n\n")
        inclusion = InclusionProof.parse(head + b"\n")
        if not blank:
            raise MalformedInput("the proof has no checkpoint")
        return cls(inclusion, Note.parse(note))

    def __bytes__(self) -> bytes:
        return bytes(self.inclusion) + b"\n" + bytes(self.checkpoint)
