"""Rules of a revocation: its reason is one printable line, and its selector has values that records can have.

The same rules hold for what `ldcat revoke` writes and for what is read from a log, a list or a proof bundle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from catalog.errors import MalformedRecord
from catalog.rows.endorsed_record import SELECTABLE
from catalog.rows.fields import BY_NAME, IDENTITY, RECORD
from catalog.rows.printed_line import is_printed_line

Value = str | int | None

MAX_REASON = 500
"""Characters: the longest reason."""

_NAMES = {field.name for field in RECORD} | SELECTABLE.keys()

INVALID_REASON = f"the reason is not one line of 1 to {MAX_REASON} printable characters"


def is_reason(text: str) -> bool:
    """Whether a text is one line of 1 to MAX_REASON printable characters."""
    return is_printed_line(text, MAX_REASON)


def is_value(name: str, value: Value) -> bool:
    """Whether a row, or an endorsed digest, can have a value in this field."""
    if name not in BY_NAME:
        return SELECTABLE[name](value)
    field = BY_NAME[name]
    if value is None:  # in the other fields it means "not known", which selects nothing in particular
        return field.nullable and not field.optional and name not in IDENTITY
    if not field.kind.is_text:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not isinstance(value, str):
        return False
    return is_reason(value) if field.kind.pattern is None else re.fullmatch(field.kind.pattern, value) is not None


def check_revocation(selector: Mapping[str, Value], reason: str, what: str) -> None:
    """Raises MalformedRecord, beginning with `what`, for a revocation that `ldcat revoke` cannot write."""
    if not selector or not selector.keys() <= _NAMES:
        raise MalformedRecord(f"{what}: the selector is empty, or has fields that no record has")
    for name, value in selector.items():
        if not is_value(name, value):
            raise MalformedRecord(f"{what}: no record can have {name} {value!r:.80}")
    if not is_reason(reason):
        raise MalformedRecord(f"{what}: {INVALID_REASON}")
