"""RowProducts: for each group a number that tells its rows from all others: which rows they are, in whatever order.

It is the product of z - h over the rows of the group, modulo the prime 2**127 - 1, where h is the value at k of the
polynomial whose coefficients are the seven words of the packed row. z and k are random, and nobody else learns anything
of them, so that no rows can be chosen to fit them. Other rows of a group, n on both sides, are taken for the same only
if two of these 2 n rows have one h, which of each pair holds for at most 6 values of k; or if z is one of the h, or a
root of a polynomial of degree n. The probability is less than (12 n + 3) n / 2**127: 2**-70 for 100 million rows.
"""

from __future__ import annotations

import secrets
import struct
from array import array
from collections.abc import Sequence

from catalog.log.leaves import leaf_code
from catalog.log.leaves.packed_rows import KNOWN, ROW, Rows
from catalog.log.leaves.row_text import LARGEST

PRIME = (1 << 127) - 1
_HALF = (1 << 64) - 1
_WORDS = struct.Struct("=7Q")
_NUMBERS = struct.Struct("=II")


class RowProducts:
    """Packed rows, some at a time. like: those of other rows that they will be compared with."""

    def __init__(self, like: RowProducts | None = None) -> None:
        self._key: tuple[int, int] = like._key if like else (secrets.randbelow(PRIME), secrets.randbelow(PRIME))
        self._products = array("Q")

    def __getitem__(self, group: int) -> int:
        """The product of a group, 1 if it has no rows."""
        low, high = self._products[2 * group : 2 * group + 2] or (1, 0)
        return high << 64 | low

    def add(self, rows: Rows, groups: int) -> None:
        """Add rows. groups: how many there are. Raises ValueError for a row of another one."""
        self._products.extend(array("Q", [1, 0]) * (groups - len(self._products) // 2))
        if not (self._add_in_python if leaf_code.lib is None else self._add)(rows):
            raise ValueError("a row has no group")

    def multiply(self, others: RowProducts) -> None:
        """Add the rows that were added there. others: as `like`."""
        groups = max(len(self._products), len(others._products)) // 2
        made = [self[group] * others[group] % PRIME for group in range(groups)]
        self._products = array("Q", (half for product in made for half in (product & _HALF, product >> 64)))

    def differing(self, others: RowProducts) -> Sequence[int]:
        """The numbers of the groups with other rows here, among those that have rows here. others: as `like`."""
        return [group for group in range(len(self._products) // 2) if self[group] not in (1, others[group])]

    def _add(self, rows: Rows) -> bool:
        ffi, (step, start) = leaf_code.ffi, self._key
        key = array("Q", [step & _HALF, step >> 64, start & _HALF, start >> 64])
        return bool(
            leaf_code.lib.ldcat_multiply_rows(
                ffi.from_buffer("uint64_t[]", key),
                ffi.from_buffer("uint8_t[]", rows),
                len(rows) // ROW,
                ffi.from_buffer("uint64_t[]", self._products, require_writable=True),
                len(self._products) // 2,
            )
        )

    def _add_in_python(self, rows: Rows) -> bool:
        step, start = self._key
        for at in range(0, len(rows), ROW):
            group, bits = _NUMBERS.unpack_from(rows, at + LARGEST)
            if 2 * group >= len(self._products):
                return False
            value = 0
            for word in _WORDS.unpack(bytes(rows[at : at + LARGEST]) + _NUMBERS.pack(group, bits & ~KNOWN)):
                value = (value * step + word) % PRIME
            product = self[group] * (start - value) % PRIME
            self._products[2 * group], self._products[2 * group + 1] = product & _HALF, product >> 64
        return True


def rows_of(rows: Rows, groups: Sequence[int]) -> Rows:
    """The rows that are of some groups, in their order."""
    wanted = bytearray(max(groups, default=-1) + 1)
    for group in groups:
        wanted[group] = 1
    if leaf_code.lib is None:
        packed = [bytes(rows[at : at + ROW]) for at in range(0, len(rows), ROW)]
        numbers = [_NUMBERS.unpack_from(row, LARGEST)[0] for row in packed]
        return b"".join(row for row, group in zip(packed, numbers, strict=True) if wanted[group : group + 1] == b"\1")
    out = bytearray(len(rows))
    kept = leaf_code.lib.ldcat_rows_of(
        leaf_code.ffi.from_buffer("uint8_t[]", rows),
        len(rows) // ROW,
        leaf_code.ffi.from_buffer("uint8_t[]", wanted),
        len(wanted),
        leaf_code.writable(out),
    )
    return memoryview(out)[: ROW * kept]
