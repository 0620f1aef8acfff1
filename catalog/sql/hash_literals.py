"""Hash literals of a query, in any spelling, become the text that hash columns have: lower-case hex.

A literal that is a hash is rewritten, wherever it stands, and what is compared with a hash is brought to that form too,
by the macros below. A literal that can equal no value of the hash column is an error, not "no rows" (docs/adr/0024).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from catalog.errors import UsageError
from catalog.sql.hash_expressions import Columns, HashExpressions, Sizes, is_of_literals
from catalog.sql.hash_spellings import are_digits, canonical_hash, digits, is_canonical
from catalog.sql.parsed_sql import (
    BLOB_TYPES,
    Node,
    ParsedSql,
    become,
    find_literal,
    function_name,
    is_cast,
    literal_text,
)

MACROS = (
    "CREATE MACRO ldcat_text(x) AS lower(CASE WHEN typeof(x) = 'BLOB' THEN system.main.hex(x) "
    "WHEN typeof(x) SIMILAR TO 'VARCHAR|JSON|\"NULL\"|ENUM.*' THEN x::VARCHAR "
    "ELSE error('a hash is compared with a value of type ' || typeof(x)) END)",
    "CREATE MACRO ldcat_hash(x) AS CASE WHEN ldcat_text(x) LIKE '_x%' THEN ldcat_text(x)[3:] ELSE ldcat_text(x) END",
    "CREATE MACRO ldcat_bytes(x) AS CASE WHEN typeof(x) = 'VARCHAR' "
    "AND regexp_full_match(x::VARCHAR, '[0-9a-f]{64}|[0-9a-f]{96}') THEN unhex(x::VARCHAR) ELSE x::BLOB END",
)
"""ldcat_hash(x): a BLOB or a text as hash columns have it. ldcat_bytes(x): the bytes of a hash in a hash column."""

_EQUALITY = {"COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}
_LISTS = {"COMPARE_IN", "COMPARE_NOT_IN"}
_LIKE = {"~~", "!~~", "~~*", "!~~*", "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"}
_GLOB = {"~~~"}
_SEARCH = {"^@", "starts_with", "prefix", "ends_with", "suffix", "contains", "instr", "strpos", "position"}
_REGEX = {"regexp_matches", "regexp_full_match"}
_REPLACE = {"replace", "regexp_replace", "regexp_extract", "translate"}
_OF_BYTES = {"octet_length", "base64", "to_base64", "md5", "sha1", "sha256"}
"""Functions of the bytes of a hash, not of its text."""


class HashLiterals:
    """The hash literals of one statement. columns: of the views."""

    def __init__(self, columns: Columns, sql: ParsedSql, statement: Node) -> None:
        self._hashes = HashExpressions(columns, statement)
        self._sql = sql
        self._statement = statement

    def rewrite(self) -> None:
        """Change the statement in place; raises UsageError if it compares a hash with what is no hash."""
        self._rewrite(self._statement)

    def _rewrite(self, part: Any) -> None:
        if isinstance(part, list):
            for one in part:
                self._rewrite(one)
        elif isinstance(part, dict) and not self._is_done(part):
            for one in part.values():  # first: literals are in their form before they are compared
                self._rewrite(one)
            self._rewrite_expression(part)

    def _is_done(self, node: Node) -> bool:
        """Rewrite what is not rewritten from the inside; whether the node is such."""
        if node.get("class") in ("FUNCTION", "CAST") and is_of_literals(node):
            return self._fold(node)
        if function_name(node) in _LIKE | _GLOB | _SEARCH | _REGEX | _REPLACE and len(node["arguments"]) > 1:
            self._rewrite_search(node)
            return True
        return False

    def _rewrite_expression(self, node: Node) -> None:
        kind, name = node.get("class"), function_name(node)
        if kind == "CONSTANT":
            _rewrite_literal(node)
        elif kind == "COMPARISON":
            self._compare([(node, "left"), (node, "right")], node["type"] in _EQUALITY)
        elif kind == "OPERATOR" and node["type"] in _LISTS:
            self._compare([(node["children"], number) for number in range(len(node["children"]))])
        elif kind == "BETWEEN":
            self._compare([(node, "input"), (node, "lower"), (node, "upper")], equality=False)
        elif kind == "SUBQUERY" and node.get("child") and self._hashes.whole(node["child"]):  # IN, ANY, ALL
            node["child"] = self._sql.call("ldcat_hash", node["child"])
            node["subquery"] = self._sql.call_of_columns("ldcat_hash", node["subquery"])
        elif is_cast(node, BLOB_TYPES) and self._hashes.whole(node["child"]):
            become(node, self._sql.call("ldcat_bytes", node["child"]))
        elif name == "nullif":
            self._compare([(argument, "expression") for argument in node["arguments"]])
        elif name in _OF_BYTES:
            for argument in node["arguments"]:
                if self._hashes.whole(argument["expression"]):
                    argument["expression"] = self._sql.call("ldcat_bytes", argument["expression"])

    def _fold(self, node: Node) -> bool:
        """Make an expression of literals that is a hash, as unhex('...'), one literal; whether it is."""
        value = self._sql.value(node)
        texts = [value.hex(), value.decode("latin-1")] if isinstance(value, bytes) else [str(value)]
        found = next(filter(None, map(canonical_hash, texts)), None)
        if found:
            become(node, self._sql.text(found))
        return bool(found)

    def _rewrite_search(self, node: Node) -> None:
        """A search in a hash is for hex digits in any case. What is searched for in other text stays as it is."""
        name, arguments = function_name(node), node["arguments"]
        subject = arguments[0]["expression"]
        whole = self._hashes.whole(subject)
        if not (whole or self._hashes.part(subject)):
            for argument in arguments:
                if not is_of_literals(argument["expression"]):
                    self._rewrite(argument["expression"])
            return
        for argument in arguments:
            self._rewrite(argument["expression"])
        if name in _REPLACE:
            return
        arguments[0]["expression"] = self._sql.call("ldcat_hash", arguments[0]["expression"])
        text, literal = literal_text(arguments[1]["expression"]), find_literal(arguments[1]["expression"])
        if name in _REGEX:
            if len(arguments) == 2:
                arguments.append({**arguments[1], "expression": self._sql.text("i")})
        elif text is not None and literal is not None:
            possible = r".*" if name in _GLOB else r"[0-9a-f%_]*" if name in _LIKE else r"[0-9a-f]*"
            if whole and not re.fullmatch(possible, digits(text), re.DOTALL):
                raise _no_hash(text, subject)
            literal["text"] = digits(text)

    def _compare(self, slots: Sequence[tuple[Any, Any]], equality: bool = True) -> None:
        """What is compared with each other. slots: where each expression stands, as a container and a key of it."""
        nodes = [container[key] for container, key in slots]
        if all(function_name(node) == "row" for node in nodes):
            for column in zip(*(node["arguments"] for node in nodes), strict=False):
                self._compare([(argument, "expression") for argument in column], equality)
            return
        wholes = [(node, sizes) for node in nodes if find_literal(node) is None and (sizes := self._hashes.whole(node))]
        texts = [(literal, text) for node in nodes if (text := literal_text(node)) and (literal := find_literal(node))]
        if wholes:
            for node in nodes:
                _check(find_literal(node), *wholes[0], equality)
        elif equality and texts and any(map(self._hashes.part, nodes)):
            if not all(are_digits(text) for _, text in texts):
                return
            for literal, text in texts:
                literal["text"] = digits(text)
        elif not any(is_canonical(text) for _, text in texts):
            return
        for container, key in slots:
            if find_literal(container[key]) is None:
                container[key] = self._sql.call("ldcat_hash", container[key])


def _check(literal: Node | None, column: Node, sizes: Sizes, equality: bool) -> None:
    """Raises UsageError for a literal that no value of the hash column can equal, or be beside of in order."""
    if literal is None or literal["kind"] == "NULL_LITERAL":
        return
    text = str(literal.get("text", ""))
    if literal["kind"] == "STRING" and is_canonical(text) and len(text) in sizes:
        return
    if literal["kind"] == "STRING" and not is_canonical(text) and not equality and are_digits(text):
        literal["text"] = digits(text)
    else:
        raise _no_hash(text, column)


def _rewrite_literal(node: Node) -> None:
    kind, text = node["literal"]["kind"], node["literal"].get("text", "")
    if kind == "INTEGER" and canonical_hash(
        text + node.get("alias", "")
    ):  # SELECT 0x8c1f...: 0, under the name x8c1f...
        raise UsageError("query: a hash after 0x is read in quotes only", f"write '{text}{node['alias']}'")
    if kind in ("STRING", "HEX") and (found := canonical_hash(text)):
        node["literal"] = {"kind": "STRING", "text": found}


def _no_hash(text: str, column: Mapping[str, Any]) -> UsageError:
    name = f"column {column['column_names'][-1]}" if "column_names" in column else "this column"
    shown = text if len(text) <= 100 else f"{text[:100]}..."
    return UsageError(
        f"query: {shown!r} is not a hash of {name}",
        "a hash has 64 or 96 hex digits in quotes, in any case, after 0x or not; for a part of one write LIKE '8c1f%'",
    )
