"""Encodings that C2SP texts share: base64 and decimals that have one form, and no other is read."""

from __future__ import annotations

import base64
import binascii
import re

from catalog.errors import MalformedInput

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
MAX_NUMBER = (1 << 63) - 1
MAX_NAME = 255
"""Bytes of the name of a key, and of the origin of a log."""


def from_base64(text: str, what: str, size: int | None = None) -> bytes:
    """Bytes from standard base64 as an encoder writes it, of that size; raises MalformedInput."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if not value or base64.b64encode(value).decode("ascii") != text:
        raise MalformedInput(f"{what} is not base64 as it is written")
    if size is not None and len(value) != size:
        raise MalformedInput(f"{what} has {len(value)} bytes, not {size}")
    return value


def to_base64(value: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(value).decode("ascii")


def from_decimal(text: str, what: str) -> int:
    """A number below 2**63 in ASCII, without zeroes before it; raises MalformedInput."""
    if not _DECIMAL.fullmatch(text) or (value := int(text)) > MAX_NUMBER:
        raise MalformedInput(f"{what} is no number from 0 to 2**63 - 1")
    return value


def is_name(name: str) -> bool:
    """Whether a key or a log can be called so: UTF-8, not empty, no Unicode spaces, no plus, no control characters.

    Source: signed-note; tlog-cosignature for the length.
    """
    wrong = any(c.isspace() or c == "+" or c < " " or "\ud800" <= c <= "\udfff" for c in name)
    return bool(name) and not wrong and len(name.encode()) <= MAX_NAME
