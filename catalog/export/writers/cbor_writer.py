"""Deterministic CBOR: shortest heads, definite lengths, keys of maps in the order of their encoded bytes.

What it writes, catalog/imports/cbor.py reads. Source: RFC 8949, 4.2.1.
"""

from __future__ import annotations

from typing import Any

from catalog.imports.cbor import ARRAY, BYTES, MAP, NEGATIVE, TAG, TEXT, UNSIGNED, Tagged, head

_SIMPLE = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}


def encode(value: Any) -> bytes:
    """The data item of an int of 64 bits, bytes, str, list, dict, Tagged, bool or None, and what is in it.

    Keys are int, str or bytes. Raises TypeError for a value or key of any other type, and ValueError for a number that
    has no head and a text that is not Unicode.
    """
    if value is None or isinstance(value, bool):
        return _SIMPLE[value]
    if isinstance(value, int):
        return _head(UNSIGNED, value) if value >= 0 else _head(NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return head(BYTES, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(TEXT, len(text)) + text
    if isinstance(value, list):
        return head(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        pairs = sorted((_key(key), encode(one)) for key, one in value.items())
        return head(MAP, len(pairs)) + b"".join(key + one for key, one in pairs)
    if isinstance(value, Tagged):
        return _head(TAG, value.tag) + encode(value.value)
    raise TypeError(f"no CBOR is written for a {type(value).__name__}")


def _key(key: Any) -> bytes:
    if isinstance(key, bool) or not isinstance(key, int | str | bytes):
        raise TypeError(f"a key of a map in CBOR is a number, text or bytes, not a {type(key).__name__}")
    return encode(key)


def _head(major: int, number: int) -> bytes:
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{number} has more than 64 bits")
    return head(major, number)
