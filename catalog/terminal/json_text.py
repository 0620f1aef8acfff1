"""JSON as every command prints it: ASCII, without control characters other than newlines."""

from __future__ import annotations

from _json import encode_basestring_ascii  # which json uses, too: json itself loads re, and takes 6 ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_CONSTANTS = ((None, "null"), (True, "true"), (False, "false"))


def json_text(value: Any, **how: Any) -> str:
    """The JSON text of a value. how: as for json.dumps."""
    import json

    return json.dumps(value, **how).replace("\x7f", "\\u007f")


def json_document(value: Any) -> str:
    """An indented JSON document: `json_text(value, indent=2)`."""
    return _indented(value, "\n").replace("\x7f", "\\u007f")


def _indented(value: Any, margin: str) -> str:
    """A value as it follows a name. margin: the newline and the blanks before the end of an object."""
    if value == [] or value == {}:
        return repr(value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        inner = [f"{encode_basestring_ascii(key)}: {_indented(one, f'{margin}  ')}" for key, one in value.items()]
        return f"{{{margin}  {f',{margin}  '.join(inner)}{margin}}}"
    if isinstance(value, list):
        inner = [_indented(one, f"{margin}  ") for one in value]
        return f"[{margin}  {f',{margin}  '.join(inner)}{margin}]"
    if type(value) is str:
        return str(encode_basestring_ascii(value))
    if type(value) is int:
        return str(value)
    for constant, text in _CONSTANTS:
        if value is constant:
            return text
    return json_text(value, indent=2).replace("\n", margin)
