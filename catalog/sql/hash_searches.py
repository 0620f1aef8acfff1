"""Searches in the text of a hash: LIKE, starts_with, regular expressions. Digits are found in any case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from catalog.errors import UsageError
from catalog.sql.hash_expressions import HashExpressions, is_of_literals, written_hash
from catalog.sql.hash_spellings import digits
from catalog.sql.parsed_sql import Node, ParsedSql, find_literal, function_name, literal_text

_LIKE = {"~~", "!~~", "~~*", "!~~*", "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"}
_GLOB = {"~~~"}
_ENDS = {"ends_with", "suffix"}
_PLAIN = {"^@", "starts_with", "prefix", "contains", "instr", "strpos", "position"} | _ENDS
_REGEX = {"regexp_matches", "regexp_full_match"}

_POSSIBLE = (
    (_GLOB, r".*"),
    (_LIKE, r"[0-9a-f%_]*"),
    (_REGEX, r"(?!\^?\(?(0x|\\x)[0-9a-f]{2}[^|]*$).*"),
    (_PLAIN, r"[0-9a-f]*"),
)
"""What can be found in a hash. A regular expression is not read, but 0x at its begin is."""

SEARCHES = _LIKE | _GLOB | _PLAIN | _REGEX
"""Functions and operators of a text and what is searched for in it."""


def rewrite_search(hashes: HashExpressions, sql: ParsedSql, node: Node) -> None:
    """Change a search in place; raises UsageError if no hash can have what is searched for.

    The collation of hash columns does the most. DuckDB ignores it in regular expressions and in suffix.
    """
    name, arguments = function_name(node), node["arguments"]
    subject = arguments[0]["expression"]
    whole = hashes.whole(subject)
    known = bool(whole or hashes.part(subject)) and not hashes.has_text(subject)
    if known and name not in _REGEX and (found := written_hash(sql, arguments[1]["expression"])):
        arguments[1]["expression"] = sql.text(found)
    text, literal = literal_text(arguments[1]["expression"]), find_literal(arguments[1]["expression"])
    if known and text is not None and literal is not None:
        possible = next(pattern for names, pattern in _POSSIBLE if name in names)
        searched = text if name in _REGEX else digits(text)
        if whole and not re.fullmatch(possible, searched, re.DOTALL | re.IGNORECASE):
            raise no_hash(text, subject)
        literal["text"] = searched
    if whole and hashes.is_bytes(subject):
        subject = arguments[0]["expression"] = sql.call("ldcat_hash", subject)
    options = literal_text(arguments[2]["expression"]) if len(arguments) > 2 else None
    if name in _REGEX and "c" not in (options or "") and not is_of_literals(subject):
        arguments[1]["expression"] = sql.call("ldcat_pattern", subject, arguments[1]["expression"])
    elif name in _ENDS and not is_of_literals(subject):
        arguments[1]["expression"] = sql.call("ldcat_folded", subject, arguments[1]["expression"])
        arguments[0]["expression"] = sql.call("ldcat_folded", subject, subject)


def no_hash(text: str, column: Mapping[str, Any]) -> UsageError:
    """The error for a literal that a hash can never be."""
    name = f"column {column['column_names'][-1]}" if "column_names" in column else "this column"
    shown = text if len(text) <= 100 else f"{text[:100]}..."
    return UsageError(
        f"query: {shown!r} is not a hash of {name}",
        "a hash has 64 or 96 hex digits in quotes, in any case, after 0x or not; for a part of one write LIKE '8c1f%'",
    )
