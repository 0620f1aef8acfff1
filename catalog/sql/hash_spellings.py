"""How people write a hash in SQL, and the one form that hash columns of the views have: lower-case hex."""

from __future__ import annotations

import re

_HEX = re.compile(r"(?:0x|\\x)?([0-9a-f]{64}|[0-9a-f]{96})", re.IGNORECASE | re.ASCII)
_CANONICAL = re.compile(r"[0-9a-f]{64}|[0-9a-f]{96}")
_DIGITS = re.compile(r"[0-9a-f]+")
_BLOB_BYTE = re.compile(r"\\x([0-9a-f]{2})|([ -\[\]-~])", re.IGNORECASE)
_SIZES = (32, 48)


def canonical_hash(text: str) -> str | None:
    r"""A hash of 32 or 48 bytes, in hex, after 0x, after \x, or as DuckDB prints a BLOB; None for any other text."""
    if found := _HEX.fullmatch(text.strip()):
        return found[1].lower()
    if "\\x" not in text.lower() or len(text) > 4 * max(_SIZES):
        return None
    at, data = 0, bytearray()
    while found := _BLOB_BYTE.match(text, at):
        data.append(int(found[1], 16) if found[1] else ord(found[2]))
        at = found.end()
    return data.hex() if at == len(text) and len(data) in _SIZES else None


def is_canonical(text: str | None) -> bool:
    """Whether a text is as hash columns have it."""
    return text is not None and _CANONICAL.fullmatch(text) is not None


def digits(text: str) -> str:
    r"""What stands for a part of a hash: in lower case, without 0x or \x."""
    return re.sub(r"^(0x|\\x)", "", text.strip().lower())


def are_digits(text: str) -> bool:
    """Whether a text is hex digits, after 0x or not."""
    return _DIGITS.fullmatch(digits(text)) is not None
