"""LiveSlots: which vCPU counts the rows of each group have: no two live rows of a group have the same one."""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import Any

from catalog.log.leaves import leaf_code
from catalog.log.leaves.packed_rows import ROW, Rows, unpack_rows


class LiveSlots:
    """A set of groups and slots, with about a bit for each where the vCPU counts of a group are many."""

    def __init__(self) -> None:
        self._bits: defaultdict[int, int] = defaultdict(int)
        self._compiled: Any = None
        if leaf_code.lib:
            self._compiled = leaf_code.ffi.gc(leaf_code.lib.ldcat_slots_new(), leaf_code.lib.ldcat_slots_free)
            if not self._compiled:
                raise MemoryError

    def add(self, rows: Rows, dead: bytearray, left_out: array[int]) -> array[int]:
        """Add the group and slot of each row; return the numbers of the rows whose group and slot were there already.

        rows: packed rows.
        dead: for each group whether its rows are left out; groups after the last one are not.
        left_out: numbers of rows that are left out, ascending.
        Raises MemoryError.
        """
        count = len(rows) // ROW
        if self._compiled is None:
            skipped = set(left_out)
            found = array("I")
            for at, row in enumerate(unpack_rows(rows)):
                if at in skipped or (row.group < len(dead) and dead[row.group]):
                    continue
                if self._bits[row.group] >> row.slot & 1:
                    found.append(at)
                self._bits[row.group] |= 1 << row.slot
            return found
        out = array("I", bytes(4 * count))
        found_count = leaf_code.lib.ldcat_slots_add(
            self._compiled,
            leaf_code.ffi.from_buffer("uint8_t[]", rows),
            count,
            leaf_code.ffi.from_buffer("uint8_t[]", dead),
            len(dead),
            leaf_code.words(left_out),
            len(left_out),
            leaf_code.words(out),
        )
        if found_count == leaf_code.FAILED:
            raise MemoryError
        return out[:found_count]
