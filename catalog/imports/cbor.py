"""A strict reader of the part of CBOR that COSE, CoRIM and dstack use: definite lengths, bounded depth, unique keys.

Every head has its shortest form (RFC 8949, 4.2.1); floats, indefinite lengths and undefined are refused.
Source: RFC 8949.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.errors import MalformedRecord

MOST_ITEMS = 1 << 17
"""Data items of one document, if its reader does not say how many it has."""

MOST_KEYS = 256
"""Keys of one map. Numbers with equal hashes can be chosen, so many of them would be slow."""

_DEEPEST = 24
_SIMPLE = {20: False, 21: True, 22: None}
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG = range(7)
"""Major types."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tagged data item."""

    tag: int
    value: Any


def decode(data: bytes, what: str, most: int | None = None) -> Any:
    """The one data item that the bytes are: int, bytes, str, list, dict, Tagged, bool or None.

    most: data items that it may consist of; MOST_ITEMS if it is None.
    Raises MalformedRecord, with a message that begins with `what` and names the offset.
    """
    reader = _Reader(data, what, MOST_ITEMS if most is None else most)
    value = reader.item(0)
    if reader.at != len(data):
        raise reader.fault(f"{len(data) - reader.at} bytes follow the end")
    return value


def encode_signed(context: str, *parts: bytes) -> bytes:
    """The array of a text and byte strings that COSE signs (RFC 9052, 4.4, Sig_structure)."""
    text = context.encode()
    return b"".join(
        [head(ARRAY, 1 + len(parts)), head(TEXT, len(text)), text] + [head(BYTES, len(part)) + part for part in parts]
    )


def head(major: int, number: int) -> bytes:
    """Major type and number of a data item, in the shortest form; the number is below 2**64."""
    if number < 24:
        return bytes([major << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
    return bytes([major << 5 | 23 + size.bit_length()]) + number.to_bytes(size, "big")


class _Reader:
    def __init__(self, data: bytes, what: str, most: int) -> None:
        self.data, self.what, self.at, self.most, self.left = data, what, 0, most, most

    def fault(self, reason: str) -> MalformedRecord:
        return MalformedRecord(f"{self.what}: CBOR at byte {self.at}: {reason}")

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise self.fault(f"{size} bytes are not there")
        self.at += size
        return self.data[self.at - size : self.at]

    def head(self) -> tuple[int, int]:
        """Major type, and its number: a value, a length, a tag or a simple value."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        if info > 27 or major > TAG:
            raise self.fault("an indefinite length, a float or a simple value that is not used here")
        size = 1 << (info - 24)
        number = int.from_bytes(self.take(size), "big")
        if number < (24 if size == 1 else 1 << 4 * size):
            raise self.fault(f"{number} is not in its shortest form")
        return major, number

    def item(self, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            raise self.fault(f"more than {self.most} items, or deeper than {_DEEPEST}")
        major, number = self.head()
        if major == UNSIGNED:
            return number
        if major == NEGATIVE:
            return -1 - number
        if major == BYTES:
            return self.take(number)
        if major == TEXT:
            return self.text(number)
        if major in (ARRAY, MAP) and number > self.left:
            raise self.fault(f"{number} entries are more than the document can have")
        if major == MAP and number > MOST_KEYS:
            raise self.fault(f"{number} keys are more than {MOST_KEYS}")
        if major == ARRAY:
            return [self.item(depth + 1) for _ in range(number)]
        if major == MAP:
            return self.map(number, depth)
        if major == TAG:
            return Tagged(number, self.item(depth + 1))
        if number not in _SIMPLE:
            raise self.fault(f"simple value {number}")
        return _SIMPLE[number]

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fault("a text that is not UTF-8") from error

    def map(self, count: int, depth: int) -> dict[int | str | bytes, Any]:
        found: dict[int | str | bytes, Any] = {}
        for _ in range(count):
            key = self.item(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | str | bytes):
                raise self.fault("a key that is no number, text or bytes")
            if key in found:
                raise self.fault(f"the key {str(key)[:40]!r} is there twice")
            found[key] = self.item(depth + 1)
        return found
