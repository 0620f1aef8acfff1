"""Strict TOML and JSON: an unknown key or a wrong type is an error that names its path."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from catalog.errors import MalformedRecord

T = TypeVar("T")

U16 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 16)]
U32 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
PageAddress = Annotated[int, msgspec.Meta(ge=0, lt=1 << 52, multiple_of=4096)]
"""A page-aligned guest-physical address, of at most 52 bits as on x86-64."""


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base class of all records that are decoded from files or the network."""


def decode_toml(text: str, record: type[T], what: str) -> T:
    """Decode TOML into `record`; raises MalformedRecord, with a message that begins with `what`, for anything else."""
    try:
        return msgspec.toml.decode(text, type=record)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # also: a number too long, tables too deep
        raise MalformedRecord(f"{what}: {_one_line(error)}") from error


def decode_json(text: bytes, record: type[T], what: str) -> T:
    """Decode JSON into `record`; raises MalformedRecord, with a message that begins with `what`, for anything else."""
    try:
        return msgspec.json.decode(text, type=record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(f"{what}: {_one_line(error)}") from error


def encode_json(record: Wire) -> str:
    """A record as canonical JSON: on one line, keys sorted, without white space."""
    return msgspec.json.encode(record, order="sorted").decode()


def unhex(text: str, size: int, what: str) -> bytes:
    """Bytes from exactly `2 * size` lower-case hex digits; raises MalformedRecord, with `what` in front."""
    if len(text) != 2 * size or not set(text) <= set("0123456789abcdef"):
        raise MalformedRecord(f"{what}: {text[:24]!r} is not {2 * size} lowercase hex digits")
    return bytes.fromhex(text)


def _one_line(error: Exception) -> str:
    message = " ".join(str(error).split()).rstrip(".")
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]
