"""A reader of the part of MessagePack that dstack uses: nil, booleans, integers, texts, bytes, lists and maps.

Source: the MessagePack specification; Dstack-TEE/dstack dstack-attest/src/v1.rs, Attestation.
"""

from __future__ import annotations

from typing import Any

MOST_ITEMS = 1 << 18
"""Items of one document: each byte of a report is one."""

_DEEPEST = 16
_SIZES = {
    0xC4: ("bytes", 1),
    0xC5: ("bytes", 2),
    0xC6: ("bytes", 4),
    0xD9: ("text", 1),
    0xDA: ("text", 2),
    0xDB: ("text", 4),
    0xDC: ("list", 2),
    0xDD: ("list", 4),
    0xDE: ("map", 2),
    0xDF: ("map", 4),
    0xCC: ("unsigned", 1),
    0xCD: ("unsigned", 2),
    0xCE: ("unsigned", 4),
    0xCF: ("unsigned", 8),
    0xD0: ("signed", 1),
    0xD1: ("signed", 2),
    0xD2: ("signed", 4),
    0xD3: ("signed", 8),
}
"""Kind of each first byte, and how many bytes its size, or its number, has."""

_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def unpacked(data: bytes) -> Any:
    """The one item that the bytes are: int, str, bytes, list, dict, bool or None; None also for anything else."""
    try:
        reader = _Reader(data)
        value = reader.item(0)
    except (ValueError, IndexError):
        return None
    return value if reader.at == len(data) else None


class _Reader:
    """Reads items one after the other; raises ValueError and IndexError for what is not MessagePack of this kind."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.items = data, 0, 0

    def item(self, depth: int) -> Any:
        self.items += 1
        if self.items > MOST_ITEMS or depth > _DEEPEST:
            raise ValueError("too many items, or nested too deeply")
        first = self.data[self.at]
        self.at += 1
        if first in _CONSTANTS:
            return _CONSTANTS[first]
        if first < 0x80 or first >= 0xE0:
            return first if first < 0x80 else first - 0x100
        if first < 0x90:
            return self.map(first & 0xF, depth)
        if first < 0xA0:
            return self.list(first & 0xF, depth)
        if first < 0xC0:
            return self.taken(first & 0x1F).decode("utf-8")
        kind, size = _SIZES.get(first, ("", 0))
        number = self.taken(size)
        if kind == "signed":
            return int.from_bytes(number, "big", signed=True)
        return self.sized(kind, int.from_bytes(number, "big"), depth)

    def sized(self, kind: str, size: int, depth: int) -> Any:
        if kind == "unsigned":
            return size
        if kind == "bytes":
            return self.taken(size)
        if kind == "text":
            return self.taken(size).decode("utf-8")
        if kind == "list":
            return self.list(size, depth)
        if kind == "map":
            return self.map(size, depth)
        raise ValueError("an unknown kind")

    def list(self, count: int, depth: int) -> list[Any]:
        return [self.item(depth + 1) for _ in range(self.counted(count))]

    def map(self, count: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self.counted(count)):
            name = self.item(depth + 1)
            if not isinstance(name, str) or name in found:
                raise ValueError("a name that is not a text, or twice")
            found[name] = self.item(depth + 1)
        return found

    def counted(self, count: int) -> int:
        """A count that the bytes left can hold."""
        if count > len(self.data) - self.at:
            raise ValueError("too few bytes")
        return count

    def taken(self, size: int) -> bytes:
        at, self.at = self.at, self.at + self.counted(size)
        return self.data[at : self.at]
