"""A launch digest in a text: behind its label, as snpguest and AMD's parser print it, or alone in any other text."""

from __future__ import annotations

import re

from catalog.abi.digest import LaunchDigest
from catalog.errors import MalformedInput
from catalog.evidence.codings import from_hex, is_hex
from catalog.evidence.digest_line import SIZES
from catalog.evidence.evidence import Evidence
from catalog.notes import Note

A_TEXT = "a text"

_DIGITS = tuple(2 * size for size in SIZES)
_LABELS = {
    "measurement": "the text of an attestation report",
    "launch digest": "the output of igvmmeasure",
    "launch measurement": A_TEXT,
}
"""Labels of a launch digest, in lower case, and what has them."""

_MOST_LINES = 12
"""Lines behind a label: a digest needs six if each has 8 bytes."""

_WORD = re.compile(r"\w+")
_NOTE = Note("digest-only-claimed", "only a text states this launch digest; nothing in the input proves it")


def digest_in_text(text: str) -> Evidence | None:
    """The launch digest that a text states; None if it states none.

    Raises MalformedInput for several different ones: which of them is meant is never guessed.
    """
    lines = text.splitlines()
    found = {digest: form for form, digest in _labelled(lines)}
    if not found:
        found = dict.fromkeys(_alone(text), A_TEXT)
    if len(found) > 1:
        raise MalformedInput(
            f"the text has {len(found)} different launch digests, or hashes of their length",
            "give the launch digest alone; ldcat lookup also takes one a line",
        )
    for digest, form in found.items():
        return Evidence(f"launch digest in {form}", LaunchDigest(digest), notes=(_NOTE,), claimed_by=A_TEXT)
    return None


def _labelled(lines: list[str]) -> list[tuple[str, bytes]]:
    found = []
    for number, line in enumerate(lines):
        label, mark, rest = line.partition(":")
        form = _LABELS.get(label.strip().lower()) if mark else None
        if form and (digest := _digest_at(rest, lines[number + 1 : number + 1 + _MOST_LINES])):
            found.append((form, digest))
    return found


def _digest_at(rest: str, following: list[str]) -> bytes | None:
    """The digest behind a label, on its line or on the lines after it up to the first that has more than hex digits."""
    digits = "".join(rest.split())
    for line in following if not digits else ():
        if not line.strip() and not digits:
            continue
        if not is_hex(line):
            break
        digits += "".join(line.split())
    return _digest(digits)


def _alone(text: str) -> set[bytes]:
    """The words of a text that are as long as a digest, and hex."""
    words = (word.group().removeprefix("0x") for word in _WORD.finditer(text))
    return {digest for word in words if (digest := _digest(word))}


def _digest(digits: str) -> bytes | None:
    """The digest that hex digits are; None for another text, also for hex with separators."""
    value = from_hex(digits) if len(digits) in _DIGITS and digits.isalnum() else None
    return value if value and len(value) in SIZES else None
