"""The compact protocol of Thrift, in which Parquet has its metadata; sizes and depths are bounded by the bytes there.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_DEEPEST = 16
_LONGEST = 10
"""Bytes of a number of 64 bits."""


class Malformed(ValueError):
    """Bytes that are not what they claim to be."""


class Reader:
    """Reads values one after the other, from `at` on. Every method raises Malformed.

    A structure is a dictionary by field number; a list, a set or a map is a list, and bytes are bytes.
    """

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self.data = memoryview(data)
        self.at = at

    def take(self, size: int) -> memoryview:
        """The next bytes."""
        if size < 0 or self.at + size > len(self.data):
            raise Malformed("it ends within its data")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        """An unsigned number of variable length, below 2^64."""
        value = 0
        for place in range(_LONGEST):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if value >> 64:
                    break
                return value
        raise Malformed("a number is too long")

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """A structure."""
        if depth > _DEEPEST:
            raise Malformed("its structures are too deep")
        fields: dict[int, Any] = {}
        last = 0
        while head := self.take(1)[0]:
            last = last + (head >> 4) if head >> 4 else _signed(self.number())
            kind = head & 15
            fields[last] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):  # in a list
            return self.take(1)[0] == _TRUE
        if kind == _BYTE:
            return self.take(1)[0]
        if kind in (_I16, _I32, _I64):
            return _signed(self.number())
        if kind == _DOUBLE:
            return bytes(self.take(8))
        if kind == _BINARY:
            return bytes(self.take(self.number()))
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        if kind == _MAP:
            return self._map(depth + 1)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise Malformed(f"a value is of the unknown kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self.take(1)[0]
        count = self.number() if head >> 4 == 15 else head >> 4
        self._check(count, depth)
        return [self._value(head & 15, depth) for _ in range(count)]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        count = self.number()
        kinds = self.take(1)[0] if count else 0
        self._check(count, depth)
        return [(self._value(kinds >> 4, depth), self._value(kinds & 15, depth)) for _ in range(count)]

    def _check(self, count: int, depth: int) -> None:
        """Each element has a byte or more."""
        if count > len(self.data) - self.at or depth > _DEEPEST:
            raise Malformed("it promises more values than it can hold")


def _signed(number: int) -> int:
    return number >> 1 ^ -(number & 1)
