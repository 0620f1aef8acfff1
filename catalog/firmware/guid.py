"""GUIDs of firmware, as uuid.UUID has them; importing uuid takes longer than to hash an image.

Source: UEFI specification, appendix A: the first three fields are little-endian in memory.
"""

from __future__ import annotations

_FIELDS = (slice(3, None, -1), slice(5, 3, -1), slice(7, 5, -1), slice(8, 10), slice(10, 16))
"""The bytes of each group of the text."""


class Guid:
    """A GUID. bytes_le: its 16 bytes in memory. It equals a uuid.UUID with the same bytes."""

    __slots__ = ("bytes_le",)

    def __init__(self, bytes_le: bytes) -> None:
        self.bytes_le = bytes_le

    @classmethod
    def of(cls, text: str) -> Guid:
        """From its text of 36 characters; raises ValueError for another one."""
        groups = [bytes.fromhex(group) for group in text.split("-")]
        if [len(group) for group in groups] != [4, 2, 2, 2, 6]:
            raise ValueError(text)
        return cls(b"".join([*(group[::-1] for group in groups[:3]), *groups[3:]]))

    @property
    def time_low(self) -> int:
        """The first group of its text."""
        return int.from_bytes(self.bytes_le[:4], "little")

    def __str__(self) -> str:
        return "-".join(self.bytes_le[part].hex() for part in _FIELDS)

    def __repr__(self) -> str:
        return f"Guid.of('{self}')"

    def __eq__(self, other: object) -> bool:
        return getattr(other, "bytes_le", None) == self.bytes_le

    def __hash__(self) -> int:
        return hash(int(str(self).replace("-", ""), 16))
