"""Rules of a revocation: its reason is one printable line, and its selector has values that rows can have.

The same rules hold for what `ldcat revoke` writes and for what is read from a log, a list or a proof bundle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from catalog.errors import MalformedRecord
from catalog.rows.fields import BY_NAME, RECORD

Value = str | int | None

MAX_REASON = 500
"""Characters: the longest reason."""

_NAMES = {field.name for field in RECORD}

INVALID_REASON = f"the reason is not one line of 1 to {MAX_REASON} printable characters"

_NOT_PRINTED = re.compile(
    r"[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    r"\u205f-\u2064\u2066-\u206f\u3000\ud800-\uf8ff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U00013438"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\U000f0000-\U000ffffd"
    r"\U00100000-\U0010fffd]"
)
"""Control and format characters (also bidirectional and zero-width ones), surrogates, private use, special spaces.

These are the categories C and Z of Unicode 14 without the unassigned characters. It is a fixed list because
`str.isprintable` depends on the version of Python, and two readers of one log have to agree. All that ldcat 0.1.0
could publish passes.
"""


def is_reason(text: str) -> bool:
    """Whether a text is one line of 1 to MAX_REASON printable characters."""
    return bool(text.strip(" ")) and len(text) <= MAX_REASON and not _NOT_PRINTED.search(text)


def is_value(name: str, value: Value) -> bool:
    """Whether a row can have a value in this field of digest records."""
    field = BY_NAME[name]
    if value is None:
        return field.nullable
    if not field.kind.is_text:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not isinstance(value, str):
        return False
    return is_reason(value) if field.kind.pattern is None else re.fullmatch(field.kind.pattern, value) is not None


def check_revocation(selector: Mapping[str, Value], reason: str, what: str) -> None:
    """Raises MalformedRecord, beginning with `what`, for a revocation that `ldcat revoke` cannot write."""
    if not selector or not selector.keys() <= _NAMES:
        raise MalformedRecord(f"{what}: the selector is empty, or has fields that digest records lack")
    for name, value in selector.items():
        if not is_value(name, value):
            raise MalformedRecord(f"{what}: a digest record cannot have {name} {value!r:.80}")
    if not is_reason(reason):
        raise MalformedRecord(f"{what}: {INVALID_REASON}")
