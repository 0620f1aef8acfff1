"""JSON by the compiled half of Python's `json`, whose other half loads `re`, which takes longer than a proof.

tests/files/test_plain_json.py compares both on random values.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


class NotPlain(Exception):
    """What only the full path reads; it may be valid all the same."""


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, without blanks, in ASCII."""
    return "".join(_ENCODE(value, 0)).encode("ascii")


def read_plain_json(data: bytes) -> Any:
    """The value of an ASCII text without floats, whose objects have each key once; raises NotPlain for any other text.

    A newline may end it. Numbers are as long as they are.
    """
    try:
        text = data.decode("ascii").removesuffix("\n")
        value, end = _SCAN(text, 0)
    except (ValueError, StopIteration, RecursionError, SystemError) as error:  # SystemError: json.decoder, which has
        raise NotPlain from error  # the exception for text that is no JSON, is not loaded
    if end < len(text):
        raise NotPlain
    return value


def _refuse(text: object) -> NoReturn:
    raise NotPlain(text)


def _not_json(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} has no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _refuse(pairs)


class _Context:
    """How `make_scanner` reads, as attributes; those of json.JSONDecoder."""

    strict = True
    memo: dict[str, str] = {}
    object_hook = array_hook = None
    object_pairs_hook = staticmethod(_object)
    parse_int = int
    parse_float = parse_constant = staticmethod(_refuse)


_SCAN = make_scanner(_Context())  # type: ignore[arg-type]
_ENCODE = make_encoder(None, _not_json, encode_basestring_ascii, None, ":", ",", True, False, True)
