"""A writer of protobuf messages in one form: fields by number, no default values, entries of maps by key.

Source: https://protobuf.dev/programming-guides/encoding/; catalog/imports/protobuf.py reads what it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

Value = int | bytes | tuple[bytes, ...] | Mapping[int, bytes]
"""An unsigned number of at most 64 bits; bytes, text in UTF-8 or a message; several messages; a map field with numbers
as keys.
"""

_VARINT, _LEN = 0, 2


def message(fields: Mapping[int, Value]) -> bytes:
    """A message of fields by number. What is 0 or empty is left out: to readers of proto3 it is the same.

    Entries of a map field are messages with the key in field 1 and the value in field 2.
    """
    return b"".join(_field(number, value) for number, value in sorted(fields.items(), key=itemgetter(0)) if value)


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    if isinstance(value, bytes):
        return _varint(number << 3 | _LEN) + _varint(len(value)) + value
    if isinstance(value, tuple):
        return b"".join(_field(number, one) for one in value)
    return b"".join(_field(number, message({1: key, 2: entry})) for key, entry in sorted(value.items()))


def _varint(value: int) -> bytes:
    """A number, 7 bits a byte, the lowest first; raises ValueError for one of more than 64 bits, or below 0."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{value} is no unsigned number of 64 bits")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
