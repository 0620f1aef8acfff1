"""Bytes written as text: hex, lists of numbers, base64 and base64url; each has one spelling, and takes one pass."""

from __future__ import annotations

import binascii

HEX, NUMBERS, BASE64, BASE64URL = "hex", "a list of numbers", "base64", "base64url"

_SEPARATORS = str.maketrans("", "", " \t\r\n\v\f:,")
_TO_STANDARD = str.maketrans("-_", "+/")
_BRACKETS = {"[": "]", "{": "}", "(": ")"}


def decoded(text: str) -> tuple[str, bytes] | None:
    """The coding of a text, and its bytes; None if it is in none of the codings.

    Hex may have blanks, line breaks, colons and commas between digits, and one 0x before them.
    """
    if not text.isascii():
        return None
    if is_hex(text):
        value = from_hex(text)
        return None if value is None else (HEX, value)
    if (value := _from_numbers(text)) is not None:
        return NUMBERS, value
    return from_base64("".join(text.split()))


def is_hex(text: str) -> bool:
    """Whether a text has hex digits only, besides separators and one 0x before them: then it is not base64."""
    return _is_hex(_digits(text))


def hex_digits(text: str) -> int:
    """How many hex digits a text has; 0 if it has anything else."""
    digits = _digits(text)
    return len(digits) if _is_hex(digits) else 0


def from_hex(text: str) -> bytes | None:
    """The bytes of hex; None for another text."""
    digits = _digits(text)
    return bytes.fromhex(digits) if _is_hex(digits) and len(digits) % 2 == 0 else None


def from_base64(text: str) -> tuple[str, bytes] | None:
    """The coding and the bytes of canonical base64 or base64url, with or without padding; None for another text."""
    body = text.rstrip("=")
    missing = -len(body) % 4
    is_url = "-" in body or "_" in body
    if (
        not body
        or missing == 3
        or len(text) - len(body) not in (0, missing)
        or (is_url and ("+" in body or "/" in body))
    ):
        return None
    padded = body.translate(_TO_STANDARD) + "=" * missing
    try:
        value = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:  # also for text that is not ASCII
        return None
    is_canonical = binascii.b2a_base64(value, newline=False).decode("ascii") == padded
    return (BASE64URL if is_url else BASE64, value) if is_canonical else None


def _digits(text: str) -> str:
    digits = text.translate(_SEPARATORS)
    return digits[2:] if digits[:2] in ("0x", "0X") else digits


def _is_hex(digits: str) -> bool:
    try:
        binascii.a2b_hex(digits + "0" * (len(digits) % 2))
    except ValueError:
        return False
    return bool(digits)


def _from_numbers(text: str) -> bytes | None:
    """The bytes of a list, as in JSON or Python, or of a C array, also as `xxd -i` prints it."""
    inner = text.strip()
    if inner.startswith("unsigned char "):
        inner = "{" + inner.partition("{")[2].partition("}")[0] + "}"
    if inner[:1] in _BRACKETS:
        if len(inner) < 2 or inner[-1] != _BRACKETS[inner[0]]:
            return None
        inner = inner[1:-1]
    elif inner[:2] not in ("0x", "0X"):
        return None
    values = bytearray()
    for token in inner.replace(",", " ").split():
        base = 16 if token[:2] in ("0x", "0X") else 10
        digits = token[2:] if base == 16 else token
        if not 0 < len(digits) < 4 or digits.strip("0123456789" if base == 10 else "0123456789abcdefABCDEF"):
            return None
        if (number := int(digits, base)) > 255:
            return None
        values.append(number)
    return bytes(values) or None
