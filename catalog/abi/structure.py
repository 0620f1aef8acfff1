"""Structures of fixed layout, which keep their bytes and read a field when it is asked for: numbers, bytes, bits."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Protocol

    class Structure(Protocol):
        """What has fields. raw: all its bytes."""

        raw: bytes


class Number:
    """A little-endian unsigned number. at: its offset. size: its length in bytes."""

    __slots__ = ("at", "size")

    def __init__(self, at: int, size: int) -> None:
        self.at, self.size = at, size

    def __get__(self, structure: Structure, kind: type) -> int:
        return int.from_bytes(structure.raw[self.at : self.at + self.size], "little")


class Bytes:
    """The bytes from an offset to another, which is not included."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end

    def __get__(self, structure: Structure, kind: type) -> bytes:
        return structure.raw[self.start : self.end]


class Bit:
    """A named bit of a BitField. at: 0 is the least significant."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at

    def __get__(self, field: BitField, kind: type) -> bool:
        return bool(field.value >> self.at & 1)


class BitField:
    """A number of which each bit has a meaning. The bits that a subclass names are attributes of it; all else is kept.

    NUMBERS: mask of the bits that belong to numbers. ONES: mask of the reserved bits that are always set.
    """

    __slots__ = ("value",)

    NUMBERS: ClassVar[int] = 0
    ONES: ClassVar[int] = 0
    NAMES: ClassVar[dict[str, int]]
    """Each named bit."""

    def __init_subclass__(cls) -> None:
        cls.NAMES = {name: bit.at for name, bit in vars(cls).items() if isinstance(bit, Bit)}

    def __init__(self, value: int) -> None:
        self.value = value

    @property
    def unknown_bits(self) -> list[int]:
        """The bits that have no name here and not the value that is reserved for them."""
        named = sum(1 << bit for bit in self.NAMES.values())
        unknown = (self.value & ~named & ~self.NUMBERS) ^ self.ONES
        return [bit for bit in range(unknown.bit_length()) if unknown >> bit & 1]

    def unknown_text(self, name: str) -> str:
        """The text of a note on the unknown bits of the field of this name; empty if there are none."""
        unset = [bit for bit in self.unknown_bits if self.ONES >> bit & 1]
        unnamed = [bit for bit in self.unknown_bits if bit not in unset]
        texts = [f"{name} {_bits(unset)} not set, though reserved as set"] if unset else []
        texts += [f"{name} {_bits(unnamed)} not known to this version"] if unnamed else []
        return "; ".join(texts)

    def to_dict(self) -> dict[str, Any]:
        """The field in JSON: whether each named bit is set, and the unknown ones."""
        named = {name: bool(self.value >> bit & 1) for name, bit in self.NAMES.items()}
        return {**named, "unknown_bits": self.unknown_bits}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value:#x})"


def _bits(bits: list[int]) -> str:
    """Numbers of bits, and the verb."""
    return f"bit {bits[0]} is" if len(bits) == 1 else f"bits {', '.join(map(str, bits))} are"
