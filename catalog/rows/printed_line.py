"""Text of other people that is shown to people: one line of printable characters."""

from __future__ import annotations

import re

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


def is_printed_line(text: str, most: int) -> bool:
    """Whether a text is one line of 1 to `most` printable characters, and not blank."""
    return bool(text.strip(" ")) and len(text) <= most and not _NOT_PRINTED.search(text)
