"""An ID block: the launch digest that a guest owner expects, 96 bytes, as QEMU takes them in `id-block=`."""

from __future__ import annotations

from catalog.abi.id_block import IdBlock
from catalog.evidence.evidence import Evidence
from catalog.notes import Note

EXPECTED = Note("digest-only-claimed", "an ID block states which launch its author expects, not what was launched")


def read_id_block(data: bytes) -> Evidence:
    """96 bytes. Raises MalformedInput for another version."""
    return Evidence("ID block", IdBlock.parse(data), notes=(EXPECTED,), claimed_by="an ID block")
