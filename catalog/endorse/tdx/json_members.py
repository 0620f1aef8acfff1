"""Members of an object of JSON, each of the type that its document has; anything else raises MalformedInput."""

from __future__ import annotations

from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def object_of(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object."""
    return as_object(fields.get(name), name)


def as_object(value: Any, what: str) -> dict[str, Any]:
    """A value that is an object."""
    if not isinstance(value, dict):
        raise MalformedInput(f"{what} is no object")
    return value


def list_of(fields: Mapping[str, Any], name: str) -> list[Any]:
    """A member that is a list."""
    value = fields.get(name)
    if not isinstance(value, list):
        raise MalformedInput(f"{name} is no list")
    return value


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A member that is a text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedInput(f"{name} is no text")
    return value


def number_of(fields: Mapping[str, Any], name: str) -> int:
    """A member that is a number, positive or zero."""
    value = fields.get(name)
    if type(value) is not int or value < 0:
        raise MalformedInput(f"{name} is no number")
    return value


def hex_of(fields: Mapping[str, Any], name: str, size: int) -> bytes:
    """A member that is `size` bytes in hex."""
    try:
        value = bytes.fromhex(text_of(fields, name))
    except ValueError:
        value = b""
    if len(value) != size:
        raise MalformedInput(f"{name} is not {size} bytes in hex")
    return value
