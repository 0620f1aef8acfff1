"""BlockPacker: the rows of a log as packed rows."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from catalog.errors import MalformedRecord
from catalog.log.leaves.leaf_block import LeafBlock, RowGroup
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.packed_rows import pack_rows, row_bits
from catalog.log.leaves.row_text import take_apart
from catalog.log.records import encode_leaf


class BlockPacker:
    """Packs blocks whose rows were parsed, as known rows. groups: those of the rows, to which new ones are added."""

    def __init__(self, groups: LeafGroups) -> None:
        self._groups = groups
        self._table: Sequence[RowGroup] = ()
        self._numbers, self._bits = array("I"), array("I")

    def pack(self, block: LeafBlock) -> bytearray:
        """The rows of a block."""
        if block.table is not self._table:
            self._table, self._numbers, self._bits = block.table, array("I"), array("I")
        for group in block.table[len(self._numbers) :]:
            row = take_apart(encode_leaf(group.first)) if group.first else None
            if row is None:
                raise MalformedRecord("rows of a log were not parsed")
            self._numbers.append(self._groups.number(row.rest))
            self._bits.append(row_bits(group.digest_size, known=True))
        return pack_rows(block.digests, block.vcpus, block.groups, self._numbers, self._bits)
