"""Strictly decoded TOML and JSON: an unknown key or a wrong type is an error that names its path."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from catalog.errors import MalformedRecord

T = TypeVar("T")

U16 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 16)]
U32 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
PageAddress = Annotated[int, msgspec.Meta(ge=0, lt=1 << 52, multiple_of=4096)]
"""A page-aligned guest-physical address: x86-64 has at most 52 bits of them."""


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every record that is read from outside."""


def decode_toml(text: str, record: type[T], what: str) -> T:
    """Decode TOML into `record`; raises MalformedRecord, beginning with `what`, for anything else."""
    try:
        return msgspec.toml.decode(text, type=record)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # too long a number, too deep a table
        raise MalformedRecord(f"{what}: {_one_line(error)}") from error


def decode_json(text: bytes, record: type[T], what: str) -> T:
    """Decode JSON into `record`; raises MalformedRecord, beginning with `what`, for anything else."""
    try:
        return msgspec.json.decode(text, type=record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(f"{what}: {_one_line(error)}") from error


def unhex(text: str, size: int, what: str) -> bytes:
    """Bytes of exactly `2 * size` lowercase hex digits; raises MalformedRecord, beginning with `what`."""
    if len(text) != 2 * size or not set(text) <= set("0123456789abcdef"):
        raise MalformedRecord(f"{what}: {text[:24]!r} is not {2 * size} lowercase hex digits")
    return bytes.fromhex(text)


def _one_line(error: Exception) -> str:
    message = " ".join(str(error).split()).rstrip(".")
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]
