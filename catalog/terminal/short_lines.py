"""Lines for people that are at most so long: lists say how many more there are, long words lose their middle."""

from __future__ import annotations

import re
from collections.abc import Collection

_LIST = re.compile(r"((?:[^\s,;]+, ){3,}[^\s,;]+)(?: and (\d+) more)?")
"""At least four words with commas between them, and how many are left out already."""

_FEWEST = 2
"""Words of a list that are kept."""

_SHORT_WORD = 32
"""Characters: a word that is not longer stays as it is."""


NAMED = 3
"""Names that a line has at most."""


def first_named(names: Collection[str]) -> str:
    """The first of these names, and how many more there are."""
    first, more = list(names)[:NAMED], len(names) - NAMED
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")


def shortened(text: str, most: int) -> str:
    """The text in at most `most` characters, which are at least 80."""
    if len(text) <= most:
        return text
    if found := max(_LIST.finditer(text), key=lambda one: len(one[0]), default=None):
        listed = _fewer(found[1].split(", "), int(found[2] or 0), most - len(text) + len(found[0]))
        text = f"{text[: found.start()]}{listed}{text[found.end() :]}"
    for word in sorted(re.findall(r"\S+", text), key=len, reverse=True):
        if len(text) > most and len(word) > _SHORT_WORD:
            text = text.replace(word, _without_middle(word, max(_SHORT_WORD, len(word) - len(text) + most)), 1)
    if len(text) <= most:
        return text
    begin = text[: most - 5]
    return f"{begin[: begin.rindex(', ')]}, ..." if ", " in begin[most // 2 :] else f"{begin.rstrip()}..."


def _fewer(words: list[str], others: int, most: int) -> str:
    """As many words of a list as fit, but not fewer than _FEWEST, and the number of the others."""
    kept = len(words) - 1
    while kept > _FEWEST and len(_listed(words, kept, others)) > most:
        kept -= 1
    return _listed(words, kept, others)


def _listed(words: list[str], kept: int, others: int) -> str:
    return f"{', '.join(words[:kept])} and {len(words) - kept + others} more"


def _without_middle(word: str, most: int) -> str:
    end = (most - 3) // 3
    return f"{word[: most - 3 - end]}...{word[-end:]}"
