"""What a fact may be: lengths of hashes, ranges of numbers, technologies that exist. Each raises MalformedRecord."""

from __future__ import annotations

from catalog.errors import MalformedRecord
from catalog.launch.point import MAX_VCPUS
from catalog.launch.technology import technologies

U32_LIMIT = 1 << 32
U64_LIMIT = 1 << 64

LONGEST_TEXT = 1024
"""Characters of a name."""


def check_hash(value: bytes | None, size: int, what: str) -> None:
    """A hash of `size` bytes, or None."""
    if value is not None and len(value) != size:
        raise MalformedRecord(f"{what}: {len(value)} bytes are not {size}")


def check_number(value: int | None, limit: int, what: str) -> None:
    """A number from 0 to below `limit`, or None."""
    if value is not None and not 0 <= value < limit:
        raise MalformedRecord(f"{what}: {value} is not a number below {limit:#x}")


def check_text(value: str | None, what: str) -> None:
    """A text of 1 to LONGEST_TEXT characters, or None."""
    if value is not None and not 0 < len(value) <= LONGEST_TEXT:
        raise MalformedRecord(f"{what}: {len(value)} characters are not 1 to {LONGEST_TEXT}")


def check_vcpus(value: int | None, what: str) -> None:
    """A number of vCPUs that a guest can have, or None."""
    if value is not None and not 1 <= value <= MAX_VCPUS:
        raise MalformedRecord(f"{what}: a guest cannot have {value} vCPUs")


def check_digest(digest: bytes, technology: str, what: str) -> None:
    """A launch digest of a technology that exists, with its length."""
    if technology not in technologies():
        raise MalformedRecord(f"{what}: technology: {technology!r} is no technology")
    check_hash(digest, technologies()[technology].digest_size, f"{what}: launch digest of {technology}")
