"""Several launch digests in one input: one a line, or the texts of a JSON list."""

from __future__ import annotations

import json

from catalog.errors import MalformedInput
from catalog.evidence.carried import of_bytes
from catalog.evidence.codings import decoded
from catalog.evidence.digest_line import digest_of_line
from catalog.evidence.evidence import Evidence
from catalog.values import Value

MAX_LINES = 30_000
"""Limit for the lines of a batch: more than digests fit into evidence."""


class BatchLine(Value):
    """A line that is neither blank nor a comment, or an entry of a list.

    number: counted from 1; blank lines and comments are counted.
    evidence: its launch digest; None for a line without one.
    """

    number: int
    evidence: Evidence | None


def read_batch(data: bytes) -> list[BatchLine]:
    """The lines of a batch; empty for input that is none.

    A batch has two or more lines that are neither blank nor begin with #. The first of them has a launch digest, or
    half of them have one, and two or more. A JSON list of texts is a batch likewise. Digests that are together the hex
    or base64 of other evidence, such as a report in lines of 64 digits, are no batch. Raises MalformedInput if that is
    invalid, and for more than MAX_LINES lines.
    """
    try:
        text = data.decode("utf-8-sig").strip()
    except ValueError:
        return []
    texts = _entries(text) if text.startswith("[") else _lines(text)
    if len(texts) < 2 or text.startswith("{"):
        return []
    lines = [(number, _evidence(one)) for number, one in texts[:MAX_LINES]]
    digests = sum(evidence is not None for _, evidence in lines)
    if not lines[0][1] and (digests < 2 or 2 * digests < len(lines)):
        return []
    if len(texts) > MAX_LINES:
        raise MalformedInput(f"a batch has at most {MAX_LINES:,} lines, not {len(texts):,}", "split it")
    found = decoded(text)
    return [] if found and of_bytes(found[1]) else [BatchLine(*line) for line in lines]


def _lines(text: str) -> list[tuple[int, str]]:
    given = enumerate(text.splitlines(), 1)
    return [(number, line) for number, line in given if line.strip() and not line.lstrip().startswith("#")]


def _entries(text: str) -> list[tuple[int, str]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return list(enumerate(value, 1)) if isinstance(value, list) and all(isinstance(one, str) for one in value) else []


def _evidence(text: str) -> Evidence | None:
    found = digest_of_line(text)
    return Evidence(*found) if found else None
