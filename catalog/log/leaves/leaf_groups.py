"""LeafGroups: the texts that many rows have in common, by number; without limit, where GroupTable has one."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from catalog.log.leaves import leaf_code
from catalog.log.leaves.row_text import LARGEST

_MOST_DIGITS = 5
"""Bytes: the longest text of a vCPU count."""

_NUMBERS = 4
"""u32 of a group."""


class LeafGroup(NamedTuple):
    """Rows that differ in digest and vCPU count only.

    before, between, after: texts of their leaves before the digest's hex digits, between these and the vCPU count, and
    after the count.
    head: number that all groups with the same text before the digest have.
    """

    before: bytes
    between: bytes
    after: bytes
    head: int


class LeafGroups:
    """Groups by number: each text is kept once.

    longest: bytes of the longest leaf that a row of any of them can have.
    """

    def __init__(self) -> None:
        self.longest = 0
        self._pieces = bytearray()
        self._piece_at = array("Q", [0])
        self._piece_numbers: dict[bytes, int] = {}
        self._heads: dict[int, int] = {}
        self._groups = array("I")
        self._numbers: dict[tuple[int, int, int], int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def heads(self) -> int:
        """How many heads there are."""
        return len(self._heads)

    def head_texts(self) -> list[bytes]:
        """The text before the digest of each head."""
        return [self._piece(number) for number in self._heads]

    def number(self, rest: tuple[bytes, bytes, bytes]) -> int:
        """The number of a group, which is added if it is new. rest: as take_apart gives it."""
        longest = sum(map(len, rest)) + 2 * LARGEST + _MOST_DIGITS
        self.longest = max(self.longest, longest)
        before, between, after = map(self._piece_number, rest)
        key = before, between, after
        number = self._numbers.setdefault(key, len(self._numbers))
        if _NUMBERS * number == len(self._groups):
            self._groups.extend((*key, self._heads.setdefault(before, len(self._heads))))
        return number

    def __getitem__(self, number: int) -> LeafGroup:
        before, between, after, head = self._groups[_NUMBERS * number : _NUMBERS * (number + 1)]
        return LeafGroup(self._piece(before), self._piece(between), self._piece(after), head)

    @contextmanager
    def compiled(self) -> Iterator[Any]:
        """The groups for compiled code. None may be added meanwhile."""
        ffi = leaf_code.ffi
        pieces, piece_at = ffi.from_buffer("uint8_t[]", self._pieces), ffi.from_buffer("uint64_t[]", self._piece_at)
        groups = ffi.from_buffer("struct ldcat_leaf_group[]", self._groups)
        yield ffi.new("struct ldcat_leaf_groups *", (pieces, piece_at, groups, len(self), len(self._heads)))

    def _piece(self, number: int) -> bytes:
        return bytes(self._pieces[self._piece_at[number] : self._piece_at[number + 1]])

    def _piece_number(self, text: bytes) -> int:
        number = self._piece_numbers.setdefault(text, len(self._piece_numbers))
        if number == len(self._piece_at) - 1:
            self._pieces += text
            self._piece_at.append(len(self._pieces))
        return number
