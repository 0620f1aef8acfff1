"""Encodings that C2SP formats share: base64 and decimals. Only their canonical form is accepted."""

from __future__ import annotations

import base64
import binascii
import re

from catalog.errors import MalformedInput

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
MAX_NUMBER = (1 << 63) - 1
MAX_NAME = 255
"""Bytes: the longest name of a key, and the longest origin of a log."""


def from_base64(text: str, what: str, size: int | None = None) -> bytes:
    """Decode canonical standard base64. size: expected bytes. Raises MalformedInput, also if there are none."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if not value or base64.b64encode(value).decode("ascii") != text:
        raise MalformedInput(f"{what} is not canonical base64")
    if size is not None and len(value) != size:
        raise MalformedInput(f"{what} has {len(value)} bytes, not {size}")
    return value


def to_base64(value: bytes) -> str:
    """Encode bytes as standard base64."""
    return base64.b64encode(value).decode("ascii")


def from_decimal(text: str, what: str) -> int:
    """Decode an ASCII decimal below 2**63 without leading zeros. Raises MalformedInput."""
    if not _DECIMAL.fullmatch(text) or (value := int(text)) > MAX_NUMBER:
        raise MalformedInput(f"{what} is not a number from 0 to 2**63 - 1")
    return value


def is_name(name: str) -> bool:
    """Whether a name is valid for a key or a log: UTF-8, 1-255 bytes, no Unicode spaces, plus or control characters.

    Source: signed-note; tlog-cosignature for the length.
    """
    wrong = any(c.isspace() or c == "+" or c < " " or "\ud800" <= c <= "\udfff" for c in name)
    return bool(name) and not wrong and len(name.encode()) <= MAX_NAME
