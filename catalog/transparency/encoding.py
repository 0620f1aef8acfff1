"""Encodings that C2SP formats share: base64 and decimals. Only their canonical form is accepted."""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64

from catalog.errors import MalformedInput

MAX_NUMBER = (1 << 63) - 1
_MOST_DIGITS = 19
MAX_NAME = 255
"""Bytes: the longest name of a key, and the longest origin of a log."""


def from_base64(text: str, what: str, size: int | None = None) -> bytes:
    """Decode canonical standard base64. size: expected bytes. Raises MalformedInput, also if there are none."""
    try:
        value = a2b_base64(text)
    except (Error, ValueError):
        value = b""
    if not value or to_base64(value) != text:
        raise MalformedInput(f"{what} is not canonical base64")
    if size is not None and len(value) != size:
        raise MalformedInput(f"{what} has {len(value)} bytes, not {size}")
    return value


def to_base64(value: bytes) -> str:
    """Encode bytes as standard base64."""
    return b2a_base64(value, newline=False).decode("ascii")


def from_decimal(text: str, what: str) -> int:
    """Decode an ASCII decimal below 2**63 without leading zeros. Raises MalformedInput."""
    is_number = is_digits(text, _MOST_DIGITS) and (text == "0" or text[0] != "0")
    if not is_number or (value := int(text)) > MAX_NUMBER:
        raise MalformedInput(f"{what} is not a number from 0 to 2**63 - 1")
    return value


def is_digits(text: str, most: int) -> bool:
    """Whether a text is 1 to `most` ASCII digits."""
    return 0 < len(text) <= most and text.isascii() and text.isdigit()


def is_name(name: str) -> bool:
    """Whether a name is valid for a key or a log: UTF-8, 1-255 bytes, no Unicode spaces, plus or control characters.

    Source: signed-note; tlog-cosignature for the length.
    """
    wrong = any(c.isspace() or c == "+" or c < " " or "\ud800" <= c <= "\udfff" for c in name)
    return bool(name) and not wrong and len(name.encode()) <= MAX_NAME
