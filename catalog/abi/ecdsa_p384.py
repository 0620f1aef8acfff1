"""Public keys and signatures as the secure processor reads them: ECDSA on P-384 with SHA-384.

Source: SEV-SNP ABI (56860), chapter 10: the formats of an ECDSA P-384 public key and of a signature.
"""

from __future__ import annotations

import hashlib

from catalog.errors import MalformedInput
from catalog.values import Value

PUBLIC_KEY_SIZE, SIGNATURE_SIZE = 1028, 512

_CURVE_P384 = 2
NUMBER_SIZE, _NUMBER_FIELD = 48, 72
"""Bytes of a number of this curve, and of the field that it is in, little-endian."""


class EcdsaPublicKey(Value):
    """A public key. x, y: coordinates; whether they are a point of the curve is not known."""

    x: int
    y: int

    @classmethod
    def parse(cls, raw: bytes, name: str) -> EcdsaPublicKey:
        """Read 1,028 bytes: curve, x, y, reserved. name: what errors call it. Raises MalformedInput."""
        _check_size(raw, PUBLIC_KEY_SIZE, name)
        curve = int.from_bytes(raw[:4], "little")
        if curve != _CURVE_P384:
            raise MalformedInput(f"{name} is on curve {curve}, not {_CURVE_P384} (P-384)")
        x, y = _read_numbers(raw[4:], name)
        return cls(x, y)

    @classmethod
    def from_point(cls, point: bytes) -> EcdsaPublicKey:
        """From an uncompressed point, 97 bytes (SEC 1, 2.3.3)."""
        x, y = (int.from_bytes(point[at : at + NUMBER_SIZE], "big") for at in (1, 1 + NUMBER_SIZE))
        return cls(x, y)

    @property
    def point(self) -> bytes:
        """The uncompressed point, 97 bytes."""
        return b"\x04" + self.x.to_bytes(NUMBER_SIZE, "big") + self.y.to_bytes(NUMBER_SIZE, "big")

    def to_bytes(self) -> bytes:
        """The 1,028 bytes. Raises MalformedInput for a coordinate of more than 48 bytes."""
        numbers = _number_bytes(self.x, "x of a key") + _number_bytes(self.y, "y of a key")
        return (_CURVE_P384.to_bytes(4, "little") + numbers).ljust(PUBLIC_KEY_SIZE, b"\0")

    def digest(self) -> bytes:
        """SHA-384 of the 1,028 bytes: how a report names the ID key and the author key."""
        return hashlib.sha384(self.to_bytes()).digest()


class EcdsaSignature(Value):
    """A signature. r, s: its two numbers."""

    r: int
    s: int

    @classmethod
    def parse(cls, raw: bytes, name: str) -> EcdsaSignature:
        """Read 512 bytes: r, s, reserved. name: what errors call it. Raises MalformedInput."""
        _check_size(raw, SIGNATURE_SIZE, name)
        r, s = _read_numbers(raw, name)
        return cls(r, s)

    def to_bytes(self) -> bytes:
        """The 512 bytes. Raises MalformedInput for a number of more than 48 bytes."""
        numbers = _number_bytes(self.r, "r of a signature") + _number_bytes(self.s, "s of a signature")
        return numbers.ljust(SIGNATURE_SIZE, b"\0")


def _check_size(raw: bytes, size: int, name: str) -> None:
    if len(raw) != size:
        raise MalformedInput(f"{name} has {len(raw)} bytes, not {size}")


def _read_numbers(raw: bytes, name: str) -> tuple[int, int]:
    """Two numbers of P-384, and nothing but zeros after them. Raises MalformedInput."""
    first, second = (raw[at : at + _NUMBER_FIELD] for at in (0, _NUMBER_FIELD))
    if any(first[NUMBER_SIZE:]) or any(second[NUMBER_SIZE:]):
        raise MalformedInput(f"{name} has a number of more than 384 bits")
    if any(raw[2 * _NUMBER_FIELD :]):
        raise MalformedInput(f"{name} has reserved bytes that are not zero")
    return int.from_bytes(first, "little"), int.from_bytes(second, "little")


def _number_bytes(number: int, name: str) -> bytes:
    if not 0 <= number < 1 << 8 * NUMBER_SIZE:
        raise MalformedInput(f"{name} does not have 384 bits")
    return number.to_bytes(_NUMBER_FIELD, "little")
