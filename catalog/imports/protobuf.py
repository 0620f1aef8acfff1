"""A strict reader of protobuf messages: the fields by number, each with the one wire type that it may have.

Fields that nobody asked for are skipped, as in every protobuf reader, unless `known_only` is set.
Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from catalog.errors import MalformedRecord

Kind = Literal["number", "bytes"]
Kinds = Mapping[int, Kind]
"""The fields to read, by number."""

Value = int | bytes

MOST_FIELDS = 16_384
"""Fields of one message."""

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_FIXED = {_I64: 8, _I32: 4}
_WIRE_TYPE = {"number": _VARINT, "bytes": _LEN}


class Message:
    """A decoded message: the values of the fields that were asked for, in file order."""

    def __init__(self, data: bytes, kinds: Kinds, what: str, *, known_only: bool = False) -> None:
        """Raises MalformedRecord, with a message that begins with `what`.

        kinds: the fields to read, by number.
        known_only: whether any other field is an error: of a message that no signature covers.
        """
        self.what = what
        self.values: dict[int, list[Value]] = {number: [] for number in kinds}
        for count, (number, wire_type, value) in enumerate(_fields(data, what)):
            if count == MOST_FIELDS:
                raise MalformedRecord(f"{what}: more than {MOST_FIELDS} fields")
            if number not in kinds:
                if known_only:
                    raise MalformedRecord(f"{what}: field {number} is not known")
                continue
            if wire_type != _WIRE_TYPE[kinds[number]]:
                raise MalformedRecord(f"{what}: field {number} has wire type {wire_type}")
            self.values[number].append(value)

    def number(self, field: int) -> int:
        """An unsigned number; 0 if it is not there, as in proto3."""
        value = self._one(field)
        return value if isinstance(value, int) else 0

    def data(self, field: int) -> bytes:
        """Bytes; empty if the field is not there."""
        value = self._one(field)
        return value if isinstance(value, bytes) else b""

    def all_data(self, field: int) -> list[bytes]:
        """Every value of a repeated field of bytes or messages."""
        return [value for value in self.values[field] if isinstance(value, bytes)]

    def _one(self, field: int) -> Value | None:
        values = self.values[field]
        if len(values) > 1:
            raise MalformedRecord(f"{self.what}: field {field} is there {len(values)} times")
        return values[0] if values else None


def _fields(data: bytes, what: str) -> Iterator[tuple[int, int, Value]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at, what)
        number, wire_type = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise MalformedRecord(f"{what}: byte {at}: {number} is no field number")
        if wire_type == _VARINT:
            value, at = _varint(data, at, what)
            yield number, wire_type, value
            continue
        if wire_type == _LEN:
            size, at = _varint(data, at, what)
        elif wire_type in _FIXED:
            size = _FIXED[wire_type]
        else:
            raise MalformedRecord(f"{what}: byte {at}: wire type {wire_type} is not used")
        if size > len(data) - at:
            raise MalformedRecord(f"{what}: byte {at}: field {number} has {size} bytes, which are not there")
        yield number, wire_type, data[at : at + size]
        at += size


def _varint(data: bytes, at: int, what: str) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value >= 1 << 64 or (byte == 0 and index):
                break
            return value, at + index + 1
    raise MalformedRecord(f"{what}: byte {at}: no number in its shortest form")
