"""JSON from strangers: a key that is there twice, a number that is none, or a text that is too deep is an error.

msgspec takes the last of two equal keys, so two readers of one document could see two things.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, TypeVar

import msgspec

from catalog.errors import MalformedRecord

T = TypeVar("T")

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

TWICE = "is there twice"
"""What the message says of a key."""

MOST_ITEMS = 16_384
"""Digests, rows or entries of one document."""


def load_json(data: bytes, what: str) -> Any:
    """Decode JSON in UTF-8; raises MalformedRecord, with a message that begins with `what`."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a pair alone is no character
    except (ValueError, RecursionError) as error:  # ValueError: also a number that is too long, and text not in UTF-8
        raise MalformedRecord(f"{what}: {_one_line(error)}") from error
    return value


def as_record(value: Any, record: type[T], what: str) -> T:
    """A decoded JSON or CBOR value as a wire type; raises MalformedRecord that names the path of what is wrong."""
    try:
        return msgspec.convert(value, record, strict=True, builtin_types=(bytes,))  # bytes are never made from text
    except (msgspec.ValidationError, RecursionError) as error:
        raise MalformedRecord(f"{what}: {_one_line(error)}") from error


def unbase64(text: str, what: str, *, url: bool = False) -> bytes:
    """Bytes of canonical, padded base64; raises MalformedRecord. url: the alphabet with - and _."""
    alphabet = b"-_" if url else b"+/"
    try:
        value = base64.b64decode(text.encode("ascii"), altchars=alphabet, validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise MalformedRecord(f"{what}: {text[:24]!r} is not base64") from error
    if base64.b64encode(value, altchars=alphabet).decode("ascii") != text:
        raise MalformedRecord(f"{what}: the base64 is not in the form that an encoder writes")
    return value


def check_count(count: int, what: str, *, most: int = MOST_ITEMS) -> None:
    """Raises MalformedRecord for a list that is empty or longer than `most`."""
    if not 0 < count <= most:
        raise MalformedRecord(f"{what}: {count} entries, not 1 to {most}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name[:40]!r} {TWICE}")
        found[name] = value
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"the number {text} is not JSON")


def _one_line(error: Exception) -> str:
    message = " ".join(str(error).split()).rstrip(".")
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]
