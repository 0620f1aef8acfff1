"""Objects of JSON: one, or several one after the other, as in a QMP session."""

from __future__ import annotations

import json
import re
from typing import Any

from catalog.errors import MalformedInput

MAX_OBJECTS = 64
"""Limit for concatenated JSON objects."""

_MOST_DIGITS = 4300
"""Digits of a number, as Python limits them."""

_BLANKS = re.compile(r"\s*")


def json_objects(text: str) -> list[dict[str, Any]]:
    """The objects, without the wrapping of QMP.

    Raises MalformedInput for invalid JSON, a key that is twice in an object, and more than MAX_OBJECTS.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
    at = 0
    objects: list[dict[str, Any]] = []
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it always matches
            if len(objects) == MAX_OBJECTS:
                raise MalformedInput(f"this JSON has more than {MAX_OBJECTS} objects")
            if isinstance(value, dict) and isinstance(value.get("return"), dict):
                value = value["return"]
            if not isinstance(value, dict):
                raise MalformedInput("this JSON is not an object")
            objects.append(value)
    except RecursionError as error:
        raise MalformedInput("this looks like JSON, but is nested too deeply") from error
    except ValueError as error:
        raise MalformedInput(f"this looks like JSON, but is invalid: {error}") from error
    return objects


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise ValueError(f"a number has more than {_MOST_DIGITS:,} digits")
    return int(digits)


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
